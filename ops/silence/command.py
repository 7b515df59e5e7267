"""`python -m ops silence`: start, list and end maintenance windows of a running stack."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from ops.stack_option import Stack

app = typer.Typer(no_args_is_help=True, help="Mute alerts of a running stack for a while.")
Url = Annotated[str, typer.Option(help="Alertmanager's URL; default: the stack's on this machine.")]


@app.command()
def start(
    matchers: Annotated[
        list[str] | None, typer.Argument(help="Matchers of the alerts, all of which must match.")
    ] = None,
    duration: Annotated[str, typer.Option("--for", help="How long, such as 2h; at most 1d.")] = "",
    comment: Annotated[str, typer.Option(help="What is being done, for whoever finds it.")] = "",
    author: Annotated[str, typer.Option(help="Who does it; default: your login.")] = "",
    all_: Annotated[
        str, typer.Option("--all", help="Reason for muting every alert but the heartbeat.")
    ] = "",
    stack: Stack = "dev",
    url: Url = "",
) -> None:
    """Start a window, and say which alerts that fire now it mutes."""
    from ops import connections
    from ops.silence import silences
    from ops.silence.window import labels_of, window

    settings = connections.settings_of(stack)
    texts = [*(matchers or ()), *([f'stack="{stack}"'] if all_ and not matchers else [])]
    asked = window(labels_of(settings), texts, duration, author or getpass.getuser(), comment, all_)
    for line in silences.begin(settings, silences.client(settings, url), asked):
        typer.echo(line)


@app.command("list")
def list_(stack: Stack = "dev", url: Url = "") -> None:
    """List the windows that are open or still to come."""
    from ops import connections
    from ops.silence import silences

    settings = connections.settings_of(stack)
    for line in silences.listed(settings, silences.client(settings, url)):
        typer.echo(line)


@app.command()
def end(
    silence: Annotated[str, typer.Argument(help="Its id, as `start` and `list` print it.")],
    stack: Stack = "dev",
    url: Url = "",
) -> None:
    """End a window, and say which alerts go out again."""
    from ops import connections
    from ops.silence import silences

    settings = connections.settings_of(stack)
    for line in silences.ended(settings, silences.client(settings, url), silence):
        typer.echo(line)
