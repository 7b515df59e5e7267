"""Preflight of the local deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from components.docker.address import is_local
from components.preflight import conflicts
from components.thanos.bucket_check_provider import refused
from ops.offline.local_deploy.errors import LocalDeployError
from ops.offline.local_deploy.plan import BUCKET_CHECK, CONTAINER, IMAGE, NETWORK, VOLUME, Plan
from ops.offline.local_deploy.resources import made_here, missing_image


def check(client: docker.DockerClient, plan: Plan) -> None:
    """Raises LocalDeployError with all conflicts and their fixes."""
    there = client.containers.list(all=True, ignore_removed=True)
    faults = [
        *_foreign_names(client, plan, there),
        *_missing_images(client, plan),
        *_missing_networks(client, plan),
        *_taken_ports(plan, there),
        *(words for bucket in plan.inputs(BUCKET_CHECK) if (words := refused(bucket))),
    ]
    if faults:
        raise LocalDeployError("\n".join([*dict.fromkeys(faults), "Nothing was touched."]))


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
            if not conflicts.of_stack(labels[what][name], plan.stack):
                yield conflicts.foreign_name(what, name, plan.stack)
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
                yield conflicts.missing_network(network["name"])


def _taken_ports(plan: Plan, containers: list[Container]) -> Iterator[str]:
    wanted = [
        (
            inputs["name"].removeprefix(f"vitalstream-{plan.stack}-"),
            conflicts.Port(port.get("ip") or "0.0.0.0", port["external"]),
        )
        for inputs in plan.inputs(CONTAINER)
        for port in inputs.get("ports") or []
    ]
    local = is_local(plan.docker_host)
    yield from conflicts.taken_ports(wanted, containers, plan.stack, local=local)
