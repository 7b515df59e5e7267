"""`python -m ops`: everything about a stack that is not `pulumi up`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops import backup as backup_
from ops import connections, containers, dev_machine
from ops import drill as drill_
from ops import size as size_
from ops.certs import certs as certs_
from ops.demo import demo as demo_
from ops.demo import workspace
from ops.errors import OpsError
from ops.offline import local_deploy, program
from ops.offline import render as render_
from ops.offline.images import LocalImagesError
from ops.review import comment as comment_
from ops.review import policy as policy_
from ops.review import preview as preview_
from ops.review.diff import command as diff_
from ops.review.diff.comparison import DiffError
from ops.review.github import GitHub, GitHubError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Stack = Annotated[str, typer.Option(help="The stack, as in Pulumi.STACK.yaml.")]


@app.callback()
def main() -> None:
    """Everything about a stack that is not `pulumi up`."""


@app.command()
def render(
    stack: Stack = "dev",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("build/render"),
) -> None:
    """Write what a stack would be made of: no engine and no Docker needed."""
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
    """Hold a stack against `policy/`: no engine needed. Ends with 2 where it breaks one."""
    found = policy_.check(stack)
    if results:
        results.write_text(policy_.as_json(found))
    typer.echo(policy_.as_text(stack, found))
    raise typer.Exit(2 if found else 0)


@app.command()
def preview(
    stack: Stack = "dev",
    base: Annotated[str, typer.Option(help="The version to compare with.")] = "origin/main",
    out: Annotated[
        Path | None, typer.Option(help="A folder for the report in Markdown; else it is printed.")
    ] = None,
    engine: Annotated[bool, typer.Option(help="Preview by the engine where it can.")] = True,
) -> None:
    """What a pull request is told of a stack. Ends with 2 where something changes."""
    raise typer.Exit(preview_.preview(stack, base, out, typer.echo, engine=engine))


@app.command()
def comment(
    file: Annotated[Path, typer.Option(help="A report of `ops diff`, in Markdown.")],
    repository: Annotated[str, typer.Option(help="As owner/name.")],
    pull_request: Annotated[int, typer.Option(min=1, help="Its number.")],
    stack: Annotated[str | None, typer.Option(help="Whose report it must be.")] = None,
    head_sha: Annotated[
        str | None, typer.Option(help="The commit reported on: post only while it is the head.")
    ] = None,
    head_repository: Annotated[
        str | None, typer.Option(help="With --head-sha: where the head is, as owner/name.")
    ] = None,
) -> None:
    """Put a report on a pull request: one comment a stack, updated in place.

    Takes GITHUB_TOKEN, and GITHUB_API_URL and GITHUB_GRAPHQL_URL, from the environment.
    """
    target = comment_.target(repository, pull_request, head_sha, head_repository)
    typer.echo(comment_.post(GitHub.from_environment(), target, comment_.Report.read(file, stack)))


@app.command()
def diff(
    base: Annotated[str, typer.Option(help="The commit to compare the work tree with.")] = "",
    preview: Annotated[
        list[Path], typer.Option(help="What `pulumi preview --json --show-sames` printed.")
    ] = [],  # noqa: B006
    stack: Annotated[list[str], typer.Option(help="Without it, every stack.")] = [],  # noqa: B006
    format_: Annotated[diff_.Format, typer.Option("--format")] = diff_.Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="A folder for one file a stack.")] = None,
    details: Annotated[Path | None, typer.Option(help="A file for the uncut Markdown.")] = None,
    max_bytes: Annotated[
        int, typer.Option(min=diff_.LEAST_BYTES, help="Where Markdown is cut.")
    ] = diff_.COMMENT_BYTES,
    policy: Annotated[Path | None, typer.Option(help="A JSON list of policy findings.")] = None,
    fail_on: Annotated[list[diff_.FailOn], typer.Option(help="End with status 3.")] = [],  # noqa: B006
    allow_dirty: Annotated[bool, typer.Option(help="Take the work tree as it is.")] = False,
) -> None:
    """Say what a change will do: 0 nothing, 2 something, 1 an error, 3 what --fail-on names."""
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
            allow_dirty=allow_dirty,
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
    """Remove a stack's containers and networks, whatever the state knows of them; data stay.

    The way back after an `up` that was killed or a lost state: docs/reliability.md.
    """
    if not yes:
        typer.confirm(
            f"Nothing watches and alerts on {stack} until the next up. Go on?", abort=True
        )
    for name in containers.clear(stack):
        typer.echo(f"removed {name}")
    typer.echo("Data volumes are kept. docs/reliability.md says how to go on.")


@app.command()
def ps() -> None:
    """Show what runs."""
    containers.show()


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="Such as prometheus.")] = "",
) -> None:
    """Follow a service's log."""
    containers.logs(service)


@app.command()
def drill(
    stack: Stack = "dev",
    url: Annotated[
        str, typer.Option(help="Alertmanager's address, if it is not the stack's on this machine.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds for a message beyond its group's wait.")
    ] = 15,
    until_resolved: Annotated[
        bool, typer.Option(help="Wait for the messages that it is over, too.")
    ] = False,
) -> None:
    """Send a test alert to every receiver of a running stack, and say who got it."""
    settings = connections.settings_of(stack)
    if not drill_.run(settings, url, patience, until_resolved=until_resolved):
        raise typer.Exit(1)


@app.command()
def certs(
    stack: Stack = "prod",
    renew: Annotated[bool, typer.Option(help="A new certificate by the same authority.")] = False,
    set_: Annotated[
        bool, typer.Option("--set", help="Set the stack's configuration, by the Pulumi CLI.")
    ] = False,
) -> None:
    """Make a private authority and a certificate for a stack that has none."""
    certs_.run(stack, typer.echo, renew=renew, set_=set_)


@app.command()
def backup(
    stack: Stack,
    to: Annotated[Path, typer.Option(help="The folder of the archives.")] = Path("backups"),
    keep: Annotated[
        int | None, typer.Option(min=1, help="How many of the stack's archives stay there.")
    ] = None,
) -> None:
    """Keep a stack's samples, dashboards, users and silences in one archive."""
    _end_as_if_interrupted()
    backup_.backup(backup_.engine(stack), stack, to, keep, backup_.Teller(demo_.console))


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check archive and stack, and touch nothing.")
    ] = False,
    force_stack: Annotated[
        bool, typer.Option("--force-stack", help="Take the archive of another stack.")
    ] = False,
) -> None:
    """Put what an archive has in the place of a stack's data."""
    _end_as_if_interrupted()
    if not (yes or dry_run or sys.stdin.isatty()):
        raise backup_.BackupError("There is nobody to ask: add --yes. Nothing was touched.")
    backup_.restore(
        backup_.engine(stack),
        archive,
        stack,
        backup_.Teller(demo_.console),
        lambda question: yes or typer.confirm(question),
        force_stack=force_stack,
        dry_run=dry_run,
    )


@app.command()
def size(
    series: Annotated[int, typer.Option(help="Time series that the targets show together.")],
    interval: Annotated[
        str | None, typer.Option(help="Between scrapes, such as 15s; else scrapeInterval.")
    ] = None,
    retention: Annotated[
        str | None, typer.Option(help="How long they are kept, such as 30d; else retentionTime.")
    ] = None,
    churn: Annotated[
        float, typer.Option(help="Percent of the series that new ones follow within an hour.")
    ] = 0,
    sample_bytes: Annotated[
        float, typer.Option(help="What a sample takes on disk, where you have measured it.")
    ] = size_.SAMPLE_BYTES,
    stack: Annotated[
        str | None, typer.Option(help="Beside whose settings; else beside the defaults.")
    ] = None,
    format_: Annotated[size_.Format, typer.Option("--format")] = size_.Format.TEXT,
) -> None:
    """Say what so many series need of Prometheus: memory, disk, and which settings say so."""
    asked = size_.Asked(series, interval, retention, churn, sample_bytes, stack)
    typer.echo(size_.run(asked, format_), nl=False)


@app.command("machine")
def prepare_machine() -> None:
    """Install and start what the tests need: the Docker Engine, promtool and amtool."""
    dev_machine.ensure_docker(typer.echo)
    dev_machine.ensure_tools(typer.echo)


def _end_as_if_interrupted() -> None:
    """What is under way is put right before the end, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def run() -> None:
    try:
        app()
    except (
        OpsError,
        backup_.BackupError,
        demo_.DemoError,
        drill_.DrillError,
        GitHubError,
        DiffError,
        LocalImagesError,
        dev_machine.MachineError,
        program.ProgramError,
        local_deploy.LocalDeployError,
        workspace.WorkspaceError,
    ) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
