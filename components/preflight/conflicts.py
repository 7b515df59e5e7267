"""What on the Docker host would stand in a stack's way, in words and with the way out."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network

from components.catalog import replicas
from components.common.quantities import duration_seconds

STACK_LABEL = "vitalstream.stack"
ANYWHERE = ("", "0.0.0.0", "::")
_PORT_OFFSET = 10_000


@dataclass(frozen=True)
class Port:
    """A port to publish, or a published one."""

    ip: str
    number: int

    def clashes_with(self, other: Port) -> bool:
        same_ip = self.ip == other.ip or self.ip in ANYWHERE or other.ip in ANYWHERE
        return same_ip and self.number == other.number


def of_stack(labels: Mapping[str, str] | None, stack: str) -> bool:
    return (labels or {}).get(STACK_LABEL) == stack


def foreign_name(what: str, name: str, stack: str) -> str:
    return (
        f"A {what} {name} is there and does not belong to the stack {stack}: `docker {what} rm "
        f"{name}` if nobody needs it, or give the stack another name."
    )


def missing_network(name: str, host: str | None = None) -> str:
    setting = f"hosts.{host}.applicationNetworks" if host else "applicationNetworks"
    return f"There is no network {name} to join: make it, or take it out of vitalstream:{setting}."


def taken_subnet(subnet: str, networks: Iterable[Network], stack: str) -> Iterator[str]:
    """A line where a network that is not the stack's has some of the addresses."""
    wanted = ipaddress.ip_network(subnet)
    for network in networks:
        for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
            there = ipaddress.ip_network(config["Subnet"])
            if of_stack(network.attrs.get("Labels"), stack) or there.version != wanted.version:
                continue
            if there.overlaps(wanted):
                yield (
                    f"{subnet}, where Alertmanagers find each other, is taken by the network "
                    f"{network.name} ({there}): choose another, `pulumi config set --path "
                    f"alertmanager.gossipSubnet 10.217.0.0/28 --stack {stack}`."
                )


def taken_ports(
    wanted: Iterable[tuple[str, Port]],
    containers: Iterable[Container],
    stack: str,
    *,
    local: bool,
    chosen: bool = True,
) -> Iterator[str]:
    """A line a service whose port somebody else has. `local`: this machine is the Docker host, so
    other programs' ports can be seen as well. `chosen`: by the settings, which can have another.
    """
    containers = list(containers)
    own = [port for found in containers if of_stack(found.labels, stack) for port in _ports(found)]
    others = [found for found in containers if not of_stack(found.labels, stack)]
    for service, port in wanted:
        holder = next(
            (found.name for found in others if any(map(port.clashes_with, _ports(found)))), None
        )
        if holder is None and local and not any(map(port.clashes_with, own)):
            holder = None if _can_bind(port) else "another program"
        if holder:
            taken = (
                f"Port {port.number} of {port.ip}, where {service} is published, is taken by "
                f"{holder}: free it"
            )
            known = replicas.base(service)
            setting = known if known == replicas.NODE_EXPORTER else service
            yield (
                f"{taken}, or give {service} another: `pulumi config set --path "
                f"'ports.{setting}' {_another(port.number)} --stack {stack}`."
                if chosen
                else f"{taken}."
            )


def lost_history(containers: Iterable[Container], stack: str, local: str) -> Iterator[str]:
    """A line for each Prometheus from before Thanos that has more than it would keep from now on:
    what is older is deleted when it starts, and nothing of it has been uploaded.
    """
    for found in containers:
        words = found.attrs.get("Config", {}).get("Cmd") or []
        flags = dict(word.split("=", 1) for word in words if "=" in word)
        kept = flags.get("--storage.tsdb.retention.time")
        if not of_stack(found.labels, stack) or kept is None:
            continue
        before = "--storage.tsdb.max-block-duration" not in flags
        if before and duration_seconds(kept) > duration_seconds(local):
            yield (
                f"{found.name} keeps {kept}, and nothing of it is in the object storage yet: with "
                f"Thanos it would keep {local}, and delete the rest before it is uploaded. `pulumi "
                f"config set --path thanos.localRetention {kept} --stack {stack}` until it all is "
                "(see docs/operations/thanos.md#how-long-prometheus-keeps-samples-then), or "
                f"{local} there if the rest may go."
            )


def _ports(container: Container) -> list[Port]:
    published: Mapping[str, Any] = container.attrs["NetworkSettings"].get("Ports") or {}
    return [
        Port(binding["HostIp"], int(binding["HostPort"]))
        for bindings in published.values()
        for binding in bindings or []
    ]


def _can_bind(port: Port) -> bool:
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
