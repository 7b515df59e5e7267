"""Commands of `python -m ops` that report what a change does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from components.common.redaction import redact
from ops.review.diff.options import COMMENT_BYTES, LEAST_BYTES, FailOn, Format
from ops.stack_option import Stack

app = typer.Typer()


@app.command()
def policy(
    stack: Stack = "dev",
    results: Annotated[
        Path | None, typer.Option("--json", help="A file for the results, as a JSON list.")
    ] = None,
) -> None:
    """Check a stack against `policy/`: no engine needed. Exit code 2: violations."""
    from ops.review import policy

    found = policy.check(stack)
    if results:
        results.write_text(policy.as_json(found))
    typer.echo(redact(policy.as_text(stack, found)))
    raise typer.Exit(2 if found else 0)


@app.command()
def preview(
    stack: Stack = "dev",
    base: Annotated[str, typer.Option(help="Git revision to compare with.")] = "origin/main",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report in Markdown; without it, print it.")
    ] = None,
    engine: Annotated[bool, typer.Option(help="Preview with the engine if available.")] = True,
) -> None:
    """Write the report posted on the pull request. Exit code 2: something changes."""
    from ops.review.preview import preview

    raise typer.Exit(preview(stack, base, out, typer.echo, engine=engine))


@app.command()
def comment(
    file: Annotated[Path, typer.Option(help="Markdown report of `ops diff`.")],
    repository: Annotated[str, typer.Option(help="Repository, as owner/name.")],
    pull_request: Annotated[int, typer.Option(min=1, help="Number of the pull request.")],
    stack: Annotated[str | None, typer.Option(help="Stack that the report must be about.")] = None,
    head_sha: Annotated[
        str | None, typer.Option(help="Commit of the report: post only while it is the head.")
    ] = None,
    head_repository: Annotated[
        str | None, typer.Option(help="Repository of the head, with --head-sha.")
    ] = None,
) -> None:
    """Post a report on a pull request with `gh`: one comment per stack, updated in place.

    Reads GITHUB_TOKEN, GITHUB_API_URL and GITHUB_GRAPHQL_URL from the environment.
    """
    from ops.review import comment
    from ops.review.github import GitHub

    target = comment.target(repository, pull_request, head_sha, head_repository)
    typer.echo(comment.post(GitHub.from_environment(), target, comment.Report.read(file, stack)))


@app.command()
def diff(
    base: Annotated[str, typer.Option(help="Commit to compare the work tree with.")] = "",
    preview: Annotated[
        list[Path], typer.Option(help="Output of `pulumi preview --json --show-sames`.")
    ] = [],  # noqa: B006
    stack: Annotated[list[str], typer.Option(help="Stack to compare; without it, all.")] = [],  # noqa: B006
    format_: Annotated[Format, typer.Option("--format")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="Folder for one file per stack.")] = None,
    details: Annotated[Path | None, typer.Option(help="File for the Markdown in full.")] = None,
    max_bytes: Annotated[
        int, typer.Option(min=LEAST_BYTES, help="Maximum size of the Markdown.")
    ] = COMMENT_BYTES,
    policy: Annotated[Path | None, typer.Option(help="JSON list of policy violations.")] = None,
    fail_on: Annotated[list[FailOn], typer.Option(help="Exit with code 3 on this.")] = [],  # noqa: B006
    clean: Annotated[bool, typer.Option("--clean", help="Refuse a dirty work tree.")] = False,
) -> None:
    """Report what a change does. Exit code: 0 nothing, 2 changes, 1 error, 3 --fail-on."""
    from ops.review.diff import command

    outcome = command.run(
        command.Options(
            base=base,
            previews=tuple(preview),
            stacks=tuple(stack),
            format=format_,
            out=out,
            details=details,
            most_bytes=max_bytes,
            policy=policy,
            fail_on=tuple(fail_on),
            clean=clean,
        )
    )
    typer.echo(outcome.printed, nl=False)
    raise typer.Exit(outcome.status)
