"""`python -m ops`: operate a stack, besides `pulumi up`.

Each command imports what it needs: importing everything takes half a second of CPU time.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from components.common.redaction import redact
from ops.errors import OpsError
from ops.review import commands as review
from ops.silence import command as silence
from ops.size.measured import SAMPLE_BYTES
from ops.size.options import Format as SizeFormat
from ops.stack_option import Stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.add_typer(silence.app, name="silence")
app.add_typer(review.app)


@app.callback()
def main() -> None:
    """Operate a stack, besides `pulumi up`."""


@app.command()
def render(
    stack: Stack = "dev",
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("build/render"),
) -> None:
    """Write all files and resources of a stack: no engine and no Docker needed."""
    from ops.offline import render

    files = render.render(stack)
    render.write(files, out)
    typer.echo(f"{len(files)} files of stack {stack} in {out}")


@app.command()
def demo() -> None:
    """Bring the dev stack up on this machine, with demo traffic."""
    from ops.demo import demo

    demo.up()


@app.command()
def down(
    volumes: Annotated[bool, typer.Option(help="Remove the data volumes too.")] = False,
) -> None:
    """Remove the dev stack from this machine."""
    from ops import containers

    containers.down(volumes=volumes)


@app.command()
def clear(
    stack: Stack,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a stack's containers and networks regardless of the state; keep its data volumes.

    For recovery after a killed `up` or a lost state: docs/operations/failure-modes.md.
    """
    from ops import containers

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
    from ops import containers

    containers.show()


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="Service, such as prometheus.")] = "",
) -> None:
    """Follow a service's log."""
    from ops import containers

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
    from ops import connections
    from ops.drill import run

    settings = connections.settings_of(stack)
    if not run(settings, url, patience, until_resolved=until_resolved):
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
    from ops.certs import certs

    certs.run(stack, typer.echo, renew=renew, set_=set_)


@app.command()
def backup(
    stack: Stack,
    to: Annotated[Path, typer.Option(help="Folder of the archives.")] = Path("backups"),
    keep: Annotated[
        int | None, typer.Option(min=1, help="Number of the stack's archives to keep.")
    ] = None,
) -> None:
    """Back up a stack's samples, dashboards, users and silences into one archive."""
    from ops import backup
    from ops.demo.demo import console

    _end_as_if_interrupted()
    backup.backup(backup.engine(stack), stack, to, keep, backup.Progress(console))


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
    from ops import backup
    from ops.demo.demo import console

    _end_as_if_interrupted()
    if not (yes or dry_run or sys.stdin.isatty()):
        raise OpsError("No terminal to confirm on. Nothing was touched. fix: add --yes")
    backup.restore(
        backup.engine(stack),
        archive,
        stack,
        backup.Progress(console),
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
    ] = SAMPLE_BYTES,
    stack: Annotated[
        str | None, typer.Option(help="Stack to compare with; without it, the defaults.")
    ] = None,
    format_: Annotated[SizeFormat, typer.Option("--format")] = SizeFormat.TEXT,
) -> None:
    """Estimate memory, CPU and disk of Prometheus for so many series, and the settings."""
    from ops.size import command

    text = command.run(series, interval, retention, churn, sample_bytes, stack, format_)
    typer.echo(text, nl=False)


@app.command("machine")
def prepare_machine() -> None:
    """Install and start the tools of the tests: Docker Engine, Prometheus, promtool, amtool, gh."""
    from ops import dev_machine

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
