"""Containers of stacks on this machine: list, logs, removal."""

from __future__ import annotations

import shutil

import docker
from docker.models.containers import Container
from rich.table import Table

from components.docker.connection import ConfigFilesError, connect_to
from ops import connections
from ops.demo import pulumi_cli
from ops.demo.demo import STACK, DemoError, console, say
from ops.demo.workspace import Workspace
from ops.dev_machine import MachineError, docker_client
from ops.offline import local_deploy


def show() -> None:
    """Print the containers of all stacks with state and ports."""
    table = Table(box=None, pad_edge=False)
    for column in ("stack", "service", "state", "published"):
        table.add_column(column)
    for container in sorted(_containers(), key=lambda found: found.name or ""):
        labels = container.labels
        ports = [
            f"{binding['HostIp']}:{binding['HostPort']}"
            for bindings in container.ports.values()
            for binding in bindings or ()
        ]
        state = container.status if container.health == "unknown" else container.health
        table.add_row(
            labels["vitalstream.stack"], labels["vitalstream.service"], state, " ".join(ports)
        )
    if table.row_count:
        console.print(table)
    else:
        say("Nothing runs. `make demo` brings the dev stack up.")


def logs(service: str) -> None:
    """Follow a service's log until interrupted. Raises DemoError for an unknown service."""
    found = {container.labels["vitalstream.service"]: container for container in _containers()}
    if service not in found:
        what = f"No service {service} runs" if service else "No service is named"
        raise DemoError(
            f"{what}: make logs SERVICE=prometheus. There are: "
            f"{', '.join(sorted(found)) or 'none'}."
        )
    try:
        for line in found[service].logs(stream=True, follow=True, tail=100):
            console.out(line.decode(errors="replace"), end="")
    except KeyboardInterrupt:
        return


def down(*, volumes: bool) -> None:
    """Remove the dev stack, with its data volumes if asked, and print what was removed."""
    client = _client()
    before = _objects(client)
    workspace = Workspace(STACK, pulumi_cli.find())
    if workspace.exists and workspace.cli:
        keep = [] if volumes else ["--exclude", "**docker:index/volume:Volume::*-data"]
        workspace.run("destroy", "--yes", *keep)
    local_deploy.down(client, STACK, volumes=volumes)
    if volumes:
        shutil.rmtree(workspace.folder / "state", ignore_errors=True)
        for path in workspace.folder.glob("*.yaml"):
            path.unlink()
    kept = _objects(client)
    say(f"Removed: {', '.join(sorted(before - kept)) or 'nothing, the stack was not there'}.")
    if kept:
        say(f"Kept: {', '.join(sorted(kept))}. `make clean` removes them.")


def _objects(client: docker.DockerClient) -> set[str]:
    """Return the stack's containers, networks and volumes: `volume vitalstream-dev-...`."""
    mine: dict[str, str | list[str] | bool] = {"label": f"vitalstream.stack={STACK}"}
    containers = client.containers.list(all=True, ignore_removed=True, filters=mine)
    return {
        *(f"container {found.name}" for found in containers),
        *(f"network {found.name}" for found in client.networks.list(filters=mine)),
        *(f"volume {found.name}" for found in client.volumes.list(filters=mine)),
    }


def clear(stack: str) -> tuple[str, ...]:
    """Remove a stack's Docker objects except data volumes, regardless of the Pulumi state.

    For recovery after a killed `up` or a lost state. If one of its hosts does not answer, nothing
    is removed. Return the names of removed objects. Raises MachineError or LocalDeployError.
    """
    try:
        clients = [connect_to(engine.props) for engine in connections.engines(stack)]
    except ConfigFilesError as error:
        raise MachineError(str(error)) from None
    gone = [local_deploy.down(client, stack, volumes=False) for client in clients]
    return tuple(name for names in gone for name in names)


def _containers() -> list[Container]:
    return list(
        _client().containers.list(
            all=True, ignore_removed=True, filters={"label": "vitalstream.service"}
        )
    )


def _client() -> docker.DockerClient:
    client = docker_client()
    if client is None:
        raise MachineError("No Docker Engine answers at /var/run/docker.sock.")
    return client
