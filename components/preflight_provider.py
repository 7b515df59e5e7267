"""What Pulumi runs to check `Preflight`.

A module of its own: the plugin process that imports it needs neither the settings nor a provider's
SDK, and starts faster without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ResourceProvider,
)

from components import obstacles
from components.config_files_provider import ConfigFilesError, connect


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
    networks = client.networks.list()
    names = {network.name for network in networks}
    for name in props["networks"]:
        if name not in names:
            yield obstacles.missing_network(name)
    for subnet in props.get("subnets", []):
        yield from obstacles.taken_subnet(subnet, networks, stack)
    if local := props.get("local_retention"):
        yield from obstacles.lost_history(there, stack, local)
    wanted = [
        (service, obstacles.Port(props["bind_address"], int(port)))
        for service, port in sorted(props["ports"].items())
    ]
    yield from obstacles.taken_ports(
        wanted, there, stack, local=obstacles.is_local(props["docker_host"])
    )
