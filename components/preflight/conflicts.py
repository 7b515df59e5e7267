"""Port, name, subnet and network conflicts on a Docker host, each with its fix."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network

from components.catalog import replicas
from components.common.quantities import duration_seconds

STACK_LABEL = "vitalstream.stack"
ANYWHERE = ("", "0.0.0.0", "::")
_PORT_OFFSET = 10_000
# Docker's own: https://docs.docker.com/engine/network/#automatic-subnet-allocation. One /16 for
# each of 172.17 to 172.31, and sixteen /20 of 192.168.
DEFAULT_POOLS = (ipaddress.IPv4Network("172.16.0.0/12"), ipaddress.IPv4Network("192.168.0.0/16"))
DEFAULT_NETWORKS = 31
NETWORKS_OF_A_STACK = 5


@dataclass(frozen=True)
class Port:
    """Port to publish, or published port."""

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
    """Return a line where another network has some of the subnet's addresses."""
    wanted = ipaddress.ip_network(subnet)
    for network in networks:
        if of_stack(network.attrs.get("Labels"), stack):
            continue
        for there in _of(network):
            if there.version == wanted.version and there.overlaps(wanted):
                yield (
                    f"{subnet}, where Alertmanagers find each other, is taken by the network "
                    f"{network.name} ({there}): choose another, `pulumi config set --path "
                    f"alertmanager.gossipSubnet 10.217.0.0/28 --stack {stack}`."
                )


def taken_pool(pool: str, networks: Iterable[Network], stack: str, *, local: bool) -> Iterator[str]:
    """Yield a line where a Docker network or a route of the host has some of the pool's addresses.

    `local`: this machine is the Docker host, so its routes can be read.
    """
    wanted = ipaddress.ip_network(pool)
    others = [found for found in networks if not of_stack(found.attrs.get("Labels"), stack)]
    holders = [(f"the Docker network {found.name}", one) for found in others for one in _of(found)]
    ours = [one for found in networks if found not in others for one in _of(found)]
    if local:
        routes = (one for one in _routes() if one not in ours)
        holders += [("a route of this host", one) for one in routes]
    for holder, there in holders:
        if there.version == wanted.version and there.overlaps(wanted):
            yield (
                f"networkPool {pool} overlaps {holder} ({there}). fix: pulumi config set "
                f"networkPool 10.218.0.0/24 --stack {stack}, or another free /24."
            )
            return


def exhausted_pools(networks: Iterable[Network], stack: str) -> Iterator[str]:
    """Yield a line where Docker's default address pools have too few networks left for a stack."""
    networks = list(networks)
    if any(of_stack(found.attrs.get("Labels"), stack) for found in networks):
        return
    used = sum(
        any(one.subnet_of(pool) for pool in DEFAULT_POOLS)
        for found in networks
        for one in _of(found)
        if isinstance(one, ipaddress.IPv4Network)
    )
    if DEFAULT_NETWORKS - used < NETWORKS_OF_A_STACK:
        yield (
            f"Docker has {used} of its {DEFAULT_NETWORKS} default networks in use, and a stack "
            f"needs at least {NETWORKS_OF_A_STACK}. fix: pulumi config set networkPool "
            f"10.217.0.0/24 --stack {stack}, or remove unused networks: docker network prune."
        )


def _of(network: Network) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    configs = (network.attrs.get("IPAM") or {}).get("Config") or []
    return [ipaddress.ip_network(config["Subnet"]) for config in configs if "Subnet" in config]


def _routes() -> list[ipaddress.IPv4Network]:
    """Return the host's IPv4 routes but the default one, from /proc/net/route."""
    path = Path("/proc/net/route")
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    found = []
    for line in lines:
        fields = line.split()
        # Addresses are hexadecimal, in the byte order of the machine.
        address, mask = (bytes.fromhex(fields[at])[::-1] for at in (1, 7))
        if any(mask):
            text = f"{ipaddress.IPv4Address(address)}/{ipaddress.IPv4Address(mask)}"
            found.append(ipaddress.IPv4Network(text))
    return found


def taken_ports(
    wanted: Iterable[tuple[str, Port]],
    containers: Iterable[Container],
    stack: str,
    *,
    local: bool,
    chosen: bool = True,
) -> Iterator[str]:
    """Yield a line for each service whose port is in use.

    `local`: this machine is the Docker host, so that other programs' ports are visible too.
    `chosen`: the settings set the port and can set another.
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
    """Yield a line for each Prometheus from before Thanos that holds more than the new retention.

    Older samples are deleted when it starts, and none of them has been uploaded.
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
                "(see docs/operations/thanos.md#local-retention), or "
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
        # As Docker does, so that recently closed connections do not block a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.ip, port.number))
        except OSError as error:
            # Docker reports other errors itself, such as an address that no interface has.
            return error.errno != errno.EADDRINUSE
    return True


def _another(port: int) -> int:
    return port + _PORT_OFFSET if port + _PORT_OFFSET < 2**16 else port - _PORT_OFFSET
