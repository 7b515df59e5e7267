"""What would go wrong, found before anything is touched."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from ops.rehearsal.errors import RehearsalError
from ops.rehearsal.ownership import made_here, of_stack
from ops.rehearsal.plan import CONTAINER, IMAGE, NETWORK, VOLUME, Plan
from ops.rehearsal.resources import missing_image

ANYWHERE = ("", "0.0.0.0", "::")
_PORT_OFFSET = 10_000


@dataclass(frozen=True)
class _Port:
    ip: str
    number: int

    def clashes_with(self, other: _Port) -> bool:
        same_ip = self.ip == other.ip or self.ip in ANYWHERE or other.ip in ANYWHERE
        return same_ip and self.number == other.number


def check(client: docker.DockerClient, plan: Plan) -> None:
    """Raises RehearsalError with every obstacle and the way out of each."""
    there = client.containers.list(all=True, ignore_removed=True)
    faults = [
        *_foreign_names(client, plan, there),
        *_missing_images(client, plan),
        *_missing_networks(client, plan),
        *_taken_ports(plan, there),
    ]
    if faults:
        raise RehearsalError("\n".join([*dict.fromkeys(faults), "Nothing was touched."]))


def _foreign_names(
    client: docker.DockerClient, plan: Plan, containers: list[Container]
) -> Iterator[str]:
    labels: dict[str, dict[str | None, Any]] = {
        "container": {found.name: found.labels for found in containers},
        "network": {found.name: found.attrs.get("Labels") for found in client.networks.list()},
        "volume": {found.name: found.attrs.get("Labels") for found in client.volumes.list()},
    }
    by_engine = False
    for what, kind in (("container", CONTAINER), ("network", NETWORK), ("volume", VOLUME)):
        for name in (inputs["name"] for inputs in plan.inputs(kind)):
            if name not in labels[what]:
                continue
            if not of_stack(labels[what][name], plan.stack):
                yield (
                    f"A {what} {name} is there and does not belong to the stack {plan.stack}: "
                    f"`docker {what} rm {name}` if nobody needs it, or give the stack another name."
                )
            # Whoever made a volume: its data is the stack's.
            elif what != "volume" and not made_here(labels[what][name]):
                by_engine = True
    if by_engine:
        yield (
            f"The stack {plan.stack} is there already, made by `pulumi up`: go on with that, or "
            "`make down` first."
        )


def _missing_images(client: docker.DockerClient, plan: Plan) -> Iterator[str]:
    for inputs in plan.inputs(IMAGE):
        if not inputs.get("build"):
            try:
                client.images.get(inputs["name"])
            except docker.errors.ImageNotFound:
                yield missing_image(inputs["name"])


def _missing_networks(client: docker.DockerClient, plan: Plan) -> Iterator[str]:
    own = {inputs["name"] for inputs in plan.inputs(NETWORK)}
    there = {network.name for network in client.networks.list()}
    for inputs in plan.inputs(CONTAINER):
        for network in inputs.get("networksAdvanced") or []:
            if network["name"] not in own | there:
                yield (
                    f"There is no network {network['name']} to join: make it, or take it out of "
                    "vitalstream:applicationNetworks."
                )


def _taken_ports(plan: Plan, containers: list[Container]) -> Iterator[str]:
    own = [
        port for found in containers if of_stack(found.labels, plan.stack) for port in _ports(found)
    ]
    others = [found for found in containers if not of_stack(found.labels, plan.stack)]
    for service, port in _wanted(plan):
        holder = next(
            (found.name for found in others if any(map(port.clashes_with, _ports(found)))), None
        )
        if holder is None and not any(map(port.clashes_with, own)) and _is_local(plan.docker_host):
            holder = None if _can_bind(port) else "another program"
        if holder:
            yield (
                f"Port {port.number} of {port.ip}, where {service} is published, is taken by "
                f"{holder}: free it, or give {service} another in vitalstream:ports of "
                f"Pulumi.{plan.stack}.yaml, such as `{service}: {_another(port.number)}`."
            )


def _wanted(plan: Plan) -> Iterator[tuple[str, _Port]]:
    for inputs in plan.inputs(CONTAINER):
        service = inputs["name"].removeprefix(f"vitalstream-{plan.stack}-")
        for port in inputs.get("ports") or []:
            yield service, _Port(port.get("ip") or "0.0.0.0", port["external"])


def _ports(container: Container) -> list[_Port]:
    published: Mapping[str, Any] = container.attrs["NetworkSettings"].get("Ports") or {}
    return [
        _Port(binding["HostIp"], int(binding["HostPort"]))
        for bindings in published.values()
        for binding in bindings or []
    ]


def _is_local(docker_host: str) -> bool:
    return docker_host.startswith(("unix://", "npipe://"))


def _can_bind(port: _Port) -> bool:
    family = socket.AF_INET6 if ":" in port.ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As Docker does: connections of a moment ago do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.ip, port.number))
        except OSError as error:
            # Other faults, such as an address of no interface here, Docker words itself.
            return error.errno != errno.EADDRINUSE
    return True


def _another(port: int) -> int:
    return port + _PORT_OFFSET if port + _PORT_OFFSET < 2**16 else port - _PORT_OFFSET
