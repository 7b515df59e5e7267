"""Benchmark stacks: their names, configuration and ports; removed by label."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from benchmarks.projects import BenchmarkError
from components.catalog.integrations import INTEGRATIONS
from components.catalog.services import DEFAULT_PORTS
from ops.offline import local_deploy, program
from ops.root import ROOT

DEV, PROD, COMPOSE, LOCAL = "bench-dev", "bench-prod", "bench-compose", "bench-local"
OTHER_DEV, OTHER_PROD = "bench-other-dev", "bench-other-prod"
HISTORY = "bench-history"
STACKS = (DEV, PROD, OTHER_DEV, OTHER_PROD, COMPOSE, LOCAL, HISTORY)
# No stack here has them, and an older commit does not know all of them.
OFF = {found.exporter.service for found in INTEGRATIONS if found.exporter and not found.default}
# Below the kernel's range of ephemeral ports.
PORTS = range(20_000, 30_000)
PASSWORDS = ("grafanaAdminPassword", "postgresPassword", "redisPassword")


@dataclass(frozen=True)
class Configuration:
    """Config values by key, as the committed stack has them, on free ports."""

    values: Mapping[str, Any]
    secrets: Mapping[str, str]

    @property
    def ports(self) -> dict[str, int]:
        found: dict[str, int] = self.values["ports"]
        return found

    def for_mocks(self) -> program.StackConfig:
        """Return what the engine would pass to the program, defaults of `Pulumi.yaml` included."""
        declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
        defaults = {key: declaration["default"] for key, declaration in declared.items()}
        return program.StackConfig.of_values(
            {**defaults, **self.values, **self.secrets}, set(self.secrets)
        )


def configuration(
    like: str, images: Mapping[str, str], root: Path = ROOT, **overrides: Any
) -> Configuration:
    """Return the configuration of stack `like` with generated passwords and no real receiver."""
    committed = yaml.safe_load((root / f"Pulumi.{like}.yaml").read_text())["config"]
    values = {
        **{key.removeprefix(f"{program.PROJECT}:"): value for key, value in committed.items()},
        "mailSmarthost": "smtp.invalid:587",
        "ports": _free_ports(),
        **({"images": {key: images[key] for key in images.keys() - OFF}} if images else {}),
        **overrides,
    }
    passwords = {name: secrets.token_urlsafe(18) for name in PASSWORDS}
    return Configuration(values, {**passwords, "slackWebhookUrl": "https://slack.invalid/bench"})


def containers(client: docker.DockerClient, stack: str) -> list[Container]:
    found = client.containers.list(filters={"label": f"vitalstream.stack={stack}"})
    return sorted(found, key=lambda container: container.name or "")


def check_healthy(client: docker.DockerClient, stack: str) -> None:
    """Raises BenchmarkError naming the unhealthy containers."""
    found = containers(client, stack)
    faulty = [container.name or "?" for container in found if container.health != "healthy"]
    if faulty or not found:
        names = ", ".join(faulty) or "no container found"
        raise BenchmarkError(f"{stack} came up, but not healthy: {names}")


def remove(client: docker.DockerClient, *stacks: str) -> None:
    """Remove containers, networks and volumes, also those that a killed run left."""
    for stack in stacks:
        local_deploy.down(client, stack, volumes=True)


def _free_ports() -> dict[str, int]:
    candidates = iter(Random().sample(PORTS, len(PORTS)))
    return {service: next(filter(_is_free, candidates)) for service in DEFAULT_PORTS.keys() - OFF}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
