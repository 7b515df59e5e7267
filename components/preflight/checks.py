"""Checks of every Docker host before anything is touched."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import docker

from components.docker.address import is_local
from components.docker.connection import ConfigFilesError, connect_to, unreachable
from components.preflight import conflicts

PATIENCE_SECONDS = 20


def faults(props: dict[str, Any]) -> list[str]:
    """Return the conflicts on every host in `Preflight`'s inputs."""
    hosts = [props, *({"stack": props["stack"], **one} for one in props.get("others") or ())]
    found = _unreachable(hosts) if len(hosts) > 1 else []
    try:
        found = found or _twice(hosts)
        return found or [words for host in hosts for words in _looked_at(host)]
    except ConfigFilesError as error:
        return [str(error)]


def _unreachable(hosts: list[dict[str, Any]]) -> list[str]:
    """Return all hosts that do not answer; asking them in parallel takes as long as one."""

    def ask(host: dict[str, Any]) -> str | None:
        try:
            with contextlib.closing(connect_to(host)):
                return None
        except ConfigFilesError as error:
            return str(error)

    # Do not wait for the threads: the system may take minutes to give up on an unreachable host.
    pool = ThreadPoolExecutor(len(hosts))
    asked = {pool.submit(ask, host): host for host in hosts}
    wait(asked, PATIENCE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    silent = f"no answer in {PATIENCE_SECONDS} s"
    answers = [
        future.result()
        if future.done()
        else unreachable(host["docker_host"], host.get("host") or "", silent)
        for future, host in asked.items()
    ]
    return [words for words in answers if words]


def _twice(hosts: list[dict[str, Any]]) -> list[str]:
    """Return the names of hosts that are the same engine."""
    names: dict[str, list[str]] = defaultdict(list)
    if len(hosts) > 1:
        for host in hosts:
            with contextlib.closing(connect_to(host)) as client:
                names[client.info()["ID"]].append(host.get("host") or "dockerHost")
    return [
        f"{' and '.join(same)} are the same Docker Engine (vitalstream:hosts): each host needs one "
        "of its own, or their containers would conflict."
        for same in names.values()
        if len(same) > 1
    ]


def _looked_at(host: dict[str, Any]) -> list[str]:
    where = f"On the host {host['host']}: " if host.get("host") else ""
    return [f"{where}{words}" for words in _conflicts(host, connect_to(host))]


def _conflicts(props: dict[str, Any], client: docker.DockerClient) -> Iterator[str]:
    stack = props["stack"]
    there = client.containers.list(all=True, ignore_removed=True)
    for container in there:
        if container.name in props["containers"] and not conflicts.of_stack(
            container.labels, stack
        ):
            yield conflicts.foreign_name("container", container.name or "", stack)
    networks = client.networks.list()
    names = {network.name for network in networks}
    for name in props["networks"]:
        if name not in names:
            yield conflicts.missing_network(name, props.get("host"))
    for subnet in props.get("subnets", []):
        yield from conflicts.taken_subnet(subnet, networks, stack)
    if pool := props.get("network_pool"):
        yield from conflicts.taken_pool(pool, networks, stack, local=is_local(props["docker_host"]))
    else:
        yield from conflicts.exhausted_pools(networks, stack)
    if local := props.get("local_retention"):
        yield from conflicts.lost_history(there, stack, local)
    bound_to = props.get("bound_to") or {}
    wanted = [
        (service, conflicts.Port(bound_to.get(service) or props["bind_address"], int(port)))
        for service, port in sorted(props["ports"].items())
    ]
    gossip = [
        (service, conflicts.Port(bound_to.get(service) or props["bind_address"], int(port)))
        for service, port in sorted((props.get("gossip") or {}).items())
    ]
    local = is_local(props["docker_host"])
    yield from conflicts.taken_ports(wanted, there, stack, local=local)
    yield from conflicts.taken_ports(gossip, there, stack, local=local, chosen=False)
