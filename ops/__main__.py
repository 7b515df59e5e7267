"""`python -m ops`: operate a stack, besides `pulumi up`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from components.common.redaction import redact
from ops import backup as backup_
from ops import connections, containers, dev_machine
from ops import drill as drill_
from ops import silence as silence_
from ops import size as size_
from ops.certs import certs as certs_
from ops.demo import demo as demo_
from ops.errors import OpsError
from ops.offline import render as render_
from ops.review import comment as comment_
from ops.review import policy as policy_
from ops.review import preview as preview_
from ops.review.diff import command as diff_
from ops.review.github import GitHub

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(silence_.app, name="silence")

Stack = Annotated[str, typer.Option(help="The stack, as in Pulumi.STACK.yaml.")]


@app.callback()
def main() -> None:
    """Operate a stack, besides `pulumi up`."""


@app.command()
def render(
    stack: Stack = "dev",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("build/render"),
) -> None:
    """Write all files and resources of a stack: no engine and no Docker needed."""
    files = render_.render(stack)
    render_.write(files, out)
    typer.echo(f"{len(files)} files of stack {stack} in {out}")


@app.command()
def policy(
    stack: Stack = "dev",
    results: Annotated[
        Path | None, typer.Option("--json", help="A file for the results, as a JSON list.")
    ] = None,
) -> None:
    """Check a stack against `policy/`: no engine needed. Exit code 2: violations."""
    found = policy_.check(stack)
    if results:
        results.write_text(policy_.as_json(found))
    typer.echo(redact(policy_.as_text(stack, found)))
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
    raise typer.Exit(preview_.preview(stack, base, out, typer.echo, engine=engine))


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
    target = comment_.target(repository, pull_request, head_sha, head_repository)
    typer.echo(comment_.post(GitHub.from_environment(), target, comment_.Report.read(file, stack)))


@app.command()
def diff(
    base: Annotated[str, typer.Option(help="Commit to compare the work tree with.")] = "",
    preview: Annotated[
        list[Path], typer.Option(help="Output of `pulumi preview --json --show-sames`.")
    ] = [],  # noqa: B006
    stack: Annotated[list[str], typer.Option(help="Stack to compare; without it, all.")] = [],  # noqa: B006
    format_: Annotated[diff_.Format, typer.Option("--format")] = diff_.Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="Folder for one file per stack.")] = None,
    details: Annotated[Path | None, typer.Option(help="File for the Markdown in full.")] = None,
    max_bytes: Annotated[
        int, typer.Option(min=diff_.LEAST_BYTES, help="Maximum size of the Markdown.")
    ] = diff_.COMMENT_BYTES,
    policy: Annotated[Path | None, typer.Option(help="JSON list of policy violations.")] = None,
    fail_on: Annotated[list[diff_.FailOn], typer.Option(help="Exit with code 3 on this.")] = [],  # noqa: B006
    clean: Annotated[bool, typer.Option("--clean", help="Refuse a dirty work tree.")] = False,
) -> None:
    """Report what a change does. Exit code: 0 nothing, 2 changes, 1 error, 3 --fail-on."""
    outcome = diff_.run(
        diff_.Options(
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


@app.command()
def demo() -> None:
    """Bring the dev stack up on this machine, with demo traffic."""
    demo_.up()


@app.command()
def down(
    volumes: Annotated[bool, typer.Option(help="Remove the data volumes too.")] = False,
) -> None:
    """Remove the dev stack from this machine."""
    containers.down(volumes=volumes)


@app.command()
def clear(
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a stack's containers and networks regardless of the state; keep its data volumes.

    For recovery after a killed `up` or a lost state: docs/operations/failure-modes.md.
    """
    if not yes:
        typer.confirm(
            f"{stack} has no monitoring and no alerts until the next up. Go on?", abort=True
        )
    for name in containers.clear(stack):
        typer.echo(f"removed {name}")
    typer.echo("Data volumes are kept. Next steps: docs/operations/failure-modes.md")


@app.command()
def ps() -> None:
    """List the running containers."""
    containers.show()


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="Service, such as prometheus.")] = "",
) -> None:
    """Follow a service's log."""
    containers.logs(service)


@app.command()
def drill(
    stack: Stack = "dev",
    url: Annotated[
        str, typer.Option(help="Alertmanager's URL; default: the stack's on this machine.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for a notification beyond its group_wait.")
    ] = 15,
    until_resolved: Annotated[
        bool, typer.Option(help="Also wait for the resolved notifications.")
    ] = False,
) -> None:
    """Send a test alert to every receiver of a running stack and report the deliveries."""
    settings = connections.settings_of(stack)
    if not drill_.run(settings, url, patience, until_resolved=until_resolved):
        raise typer.Exit(1)


@app.command()
def certs(
    stack: Stack = "prod",
    renew: Annotated[bool, typer.Option(help="New certificate from the same authority.")] = False,
    set_: Annotated[
        bool,
        typer.Option("--set", help="Write them to the stack's configuration with the Pulumi CLI."),
    ] = False,
) -> None:
    """Create a private certificate authority and a certificate for a stack."""
    certs_.run(stack, typer.echo, renew=renew, set_=set_)


@app.command()
def backup(
    stack: Stack,
    to: Annotated[Path, typer.Option(help="Folder of the archives.")] = Path("backups"),
    keep: Annotated[
        int | None, typer.Option(min=1, help="Number of the stack's archives to keep.")
    ] = None,
) -> None:
    """Back up a stack's samples, dashboards, users and silences into one archive."""
    _end_as_if_interrupted()
    backup_.backup(backup_.engine(stack), stack, to, keep, backup_.Progress(demo_.console))


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="Archive written by `backup`.")],
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check archive and stack only.")
    ] = False,
    force_stack: Annotated[
        bool, typer.Option("--force-stack", help="Accept the archive of another stack.")
    ] = False,
) -> None:
    """Replace a stack's data with the data of an archive."""
    _end_as_if_interrupted()
    if not (yes or dry_run or sys.stdin.isatty()):
        raise OpsError("No terminal to confirm on. Nothing was touched. fix: add --yes")
    backup_.restore(
        backup_.engine(stack),
        archive,
        stack,
        backup_.Progress(demo_.console),
        lambda question: yes or typer.confirm(question),
        force_stack=force_stack,
        dry_run=dry_run,
    )


@app.command()
def size(
    series: Annotated[int, typer.Option(help="Time series of all targets.")],
    interval: Annotated[
        str | None, typer.Option(help="Scrape interval, such as 15s; default: scrapeInterval.")
    ] = None,
    retention: Annotated[
        str | None, typer.Option(help="Retention, such as 30d; default: retentionTime.")
    ] = None,
    churn: Annotated[float, typer.Option(help="Percent of the series replaced per hour.")] = 0,
    sample_bytes: Annotated[
        float, typer.Option(help="Measured bytes per sample on disk.")
    ] = size_.SAMPLE_BYTES,
    stack: Annotated[
        str | None, typer.Option(help="Stack to compare with; without it, the defaults.")
    ] = None,
    format_: Annotated[size_.Format, typer.Option("--format")] = size_.Format.TEXT,
) -> None:
    """Estimate memory, CPU and disk of Prometheus for so many series, and the settings."""
    asked = size_.Asked(series, interval, retention, churn, sample_bytes, stack)
    typer.echo(size_.run(asked, format_), nl=False)


@app.command("machine")
def prepare_machine() -> None:
    """Install and start the tools of the tests: Docker Engine, Prometheus, promtool, amtool, gh."""
    dev_machine.ensure_docker(typer.echo)
    dev_machine.ensure_tools(typer.echo)
    dev_machine.ensure_github_cli(typer.echo)


def _end_as_if_interrupted() -> None:
    """Clean up on SIGTERM as on Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def run() -> None:
    try:
        app()
    except OpsError as error:
        typer.echo(f"error: {redact(str(error))}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
