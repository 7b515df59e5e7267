"""Looks at the Docker host before anything is touched.

A resource without a life of its own: the engine checks its inputs in every preview, and a failed
check ends the preview in plain words. Without it, a taken port or name is Docker's own error in
the middle of an `up`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
)

from components import obstacles
from components.catalog import SERVICES
from components.config_files_provider import ConfigFilesError, connect
from components.container import container_name
from components.settings import Settings

DEMO_PREFIX = "demo-"


class PreflightProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        try:
            found = list(_obstacles(news, connect(news["docker_host"])))
        except ConfigFilesError as error:
            found = [str(error)]
        return CheckResult(news, [CheckFailure("", words) for words in found])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        names = news.keys() - {"__provider"}
        return DiffResult(changes=any(olds.get(name) != news[name] for name in names))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("preflight", props)


def _obstacles(props: dict[str, Any], client: docker.DockerClient) -> Iterator[str]:
    stack = props["stack"]
    there = client.containers.list(all=True, ignore_removed=True)
    for container in there:
        if container.name in props["containers"] and not obstacles.of_stack(
            container.labels, stack
        ):
            yield obstacles.foreign_name("container", container.name or "", stack)
    networks = {network.name for network in client.networks.list()}
    for name in props["networks"]:
        if name not in networks:
            yield obstacles.missing_network(name)
    wanted = [
        (service, obstacles.Port(props["bind_address"], int(port)))
        for service, port in sorted(props["ports"].items())
    ]
    yield from obstacles.taken_ports(
        wanted, there, stack, local=obstacles.is_local(props["docker_host"])
    )


class Preflight(Resource, module="vitalstream", name="Preflight"):
    """Fails a preview where the Docker host cannot take the stack."""

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        services = [
            service for service in SERVICES if settings.demo or not service.startswith(DEMO_PREFIX)
        ]
        super().__init__(
            PreflightProvider(),
            "preflight",
            {
                "docker_host": settings.docker_host,
                "stack": settings.stack,
                "bind_address": settings.bind_address,
                "ports": dict(settings.ports),
                "containers": [container_name(settings.stack, name) for name in services],
                "networks": list(settings.application_networks),
            },
            opts,
        )
