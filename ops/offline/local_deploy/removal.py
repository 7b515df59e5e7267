"""Removal of a stack's containers, networks and volumes, by label."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker
import docker.errors
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume

from components.docker.service import DATA_SUFFIX
from components.docker.volume_files import HELPER_LABEL
from components.preflight.conflicts import STACK_LABEL
from ops.offline.local_deploy.errors import LocalDeployError, StaleNetworkError, docker_message

STOPPED_AT_ONCE = 8

Filters = dict[str, str | list[str] | bool]
Thing = TypeVar("Thing", Container, Network, Volume)


def down(client: docker.DockerClient, stack: str, *, volumes: bool) -> tuple[str, ...]:
    """Remove a stack's Docker objects; with `volumes`, its data too.

    Containers are given their own grace period to stop. Returns the names of what is gone. Raises
    LocalDeployError when Docker refuses, as when a container of someone else still uses a network,
    and StaleNetworkError, with all the rest gone, where only a new start of Docker frees one.
    """
    mine: Filters = {"label": f"{STACK_LABEL}={stack}"}
    there = client.volumes.list(filters=mine)
    found = client.containers.list(all=True, ignore_removed=True, filters=mine)
    # Left behind where a run was killed while it put files into a volume.
    for volume in there:
        helpers: Filters = {"label": f"{HELPER_LABEL}={volume.name}"}
        found += client.containers.list(all=True, ignore_removed=True, filters=helpers)
    gone = _all(found, _remove_container)
    stale: list[str] = []
    gone += _all(client.networks.list(filters=mine), lambda one: _remove_network(one, stale))
    # The others have configuration and passwords, which the next `up` writes anew.
    unwanted = [found for found in there if volumes or not str(found.name).endswith(DATA_SUFFIX)]
    gone += _all(unwanted, lambda volume: volume.remove())
    if stale:
        raise StaleNetworkError(
            f"The network {', '.join(sorted(stale))} cannot be removed: Docker counts a connection "
            "to it that no container has (moby#42119). Restart Docker, and do this again."
        )
    return tuple(gone)


def _all(things: Iterable[Thing], remove: Callable[[Thing], None]) -> list[str]:
    def attempt(thing: Thing) -> str:
        try:
            with contextlib.suppress(docker.errors.NotFound):
                remove(thing)
        except docker.errors.APIError as error:
            raise LocalDeployError(
                f"{thing.name} cannot be removed: {docker_message(error)}"
            ) from None
        return str(thing.name)

    with ThreadPoolExecutor(STOPPED_AT_ONCE) as pool:
        return list(pool.map(attempt, things))


def _remove_container(container: Container) -> None:
    container.stop()
    # `v`: the anonymous volumes that some images declare. Named ones stay.
    container.remove(v=True, force=True)


def _remove_network(network: Network, stale: list[str]) -> None:
    network.reload()
    if network.containers:
        users = ", ".join(sorted(container.name or "?" for container in network.containers))
        raise LocalDeployError(
            f"The network {network.name} is still used by {users}, not of this stack: "
            f"`docker network disconnect {network.name} NAME` first."
        )
    try:
        network.remove()
    except docker.errors.APIError as error:
        if "active endpoints" not in docker_message(error):
            raise
        stale.append(str(network.name))
