"""`make demo`: the dev stack on this machine, with or without the Pulumi engine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import requests
from rich.console import Console
from rich.table import Table

from components.catalog.images import IMAGES
from components.preflight import conflicts
from components.settings.settings import Settings
from ops import connections, dev_machine
from ops.demo import pulumi_cli
from ops.demo.workspace import Workspace
from ops.errors import OpsError
from ops.offline import local_deploy, program

STACK = "dev"
TARGETS_SECONDS = 90
console = Console(highlight=False)


class DemoError(OpsError):
    """Raised when the demo did not start; the message says why."""


# Tried in this order.
POOLS = tuple(f"10.{second}.0.0/24" for second in range(221, 231))


@dataclass(frozen=True)
class Plan:
    """Plan of a demo deployment: `cli` is None without the engine."""

    cli: str | None
    images: dict[str, str]
    why: str


def up() -> None:
    """Bring the dev stack up, wait for its targets and print the URLs."""
    client = dev_machine.ensure_docker(say)
    plan = make_plan(client)
    say(plan.why)
    workspace = Workspace(STACK, plan.cli)
    overrides: dict[str, Any] = {"networkPool": free_pool(client)}
    if plan.images:
        overrides["images"] = plan.images
    config = demo_config(workspace, overrides)
    left_out: tuple[str, ...] = ()
    if plan.cli:
        workspace.prepare(overrides)
        workspace.run("up", "--yes")
    else:
        result = local_deploy.up(STACK, config, say)
        left_out = tuple(
            name.removeprefix("container ")
            for name in result.left_out
            if name.startswith("container ")
        )
    wait_for_targets(config, left_out)
    summary(config, workspace, left_out)


def free_pool(client: docker.DockerClient) -> str:
    """Return the first /24 for the demo's networks that nothing else here has; its own counts as
    free. Raises DemoError.
    """
    networks = client.networks.list()
    for pool in POOLS:
        if not list(conflicts.taken_pool(pool, networks, STACK, local=True)):
            return pool
    raise DemoError(
        f"{POOLS[0]} to {POOLS[-1]} are all in use by other networks of this machine. "
        "fix: docker network prune"
    )


def make_plan(client: docker.DockerClient) -> Plan:
    """Choose the engine and the official images if available, else the local deploy and images."""
    cli = pulumi_cli.ensure(say)
    if registry_answers(client):
        if cli:
            return Plan(cli, {}, "The Pulumi engine, with the images of the registry.")
        pull(client)
        return Plan(
            None,
            {},
            "No Pulumi CLI is available: deployed without the engine, under Pulumi's mocks.",
        )
    images = local_deploy.local_images(client, say)
    if cli and "grafana" in images:
        return Plan(
            cli,
            images,
            "The Pulumi engine, with images made from Debian's packages: no image registry can be "
            "reached.",
        )
    missing = "no Pulumi CLI" if not cli else "no image of Grafana"
    return Plan(
        None,
        images,
        f"No image registry can be reached and {missing} is here: deployed without the engine, "
        "under Pulumi's mocks, with images made from Debian's packages.",
    )


def pull(client: docker.DockerClient) -> None:
    """Pull the pinned images, which a deploy without the engine needs."""
    for image in IMAGES.values():
        if not _is_local(client, image.reference):
            say(f"pulling {image.repository}:{image.tag}")
            client.images.pull(image.reference)


def registry_answers(client: docker.DockerClient) -> bool:
    """Return whether the Docker Engine can pull, or already has all images."""
    references = [image.reference for image in IMAGES.values()]
    if all(_is_local(client, reference) for reference in references):
        return True
    try:
        client.images.get_registry_data(references[0])
    except (docker.errors.APIError, OSError):
        return False
    return True


def _is_local(client: docker.DockerClient, reference: str) -> bool:
    try:
        client.images.get(reference)
    except docker.errors.ImageNotFound:
        return False
    return True


def demo_config(workspace: Workspace, overrides: dict[str, Any]) -> program.StackConfig:
    """Return the dev stack's configuration with this machine's secrets."""
    passwords = workspace.passwords()
    values = {**program.committed_values(STACK), **overrides, **passwords}
    return program.StackConfig.of_values(values, set(passwords))


def wait_for_targets(config: program.StackConfig, left_out: tuple[str, ...]) -> None:
    """Wait until Prometheus scrapes all targets. Raises DemoError naming the others."""
    settings = config.settings(STACK)
    deadline = time.monotonic() + TARGETS_SECONDS
    down: dict[str, str] = {"prometheus": "not asked yet"}
    with console.status("waiting for every target to be scraped"):
        while time.monotonic() < deadline:
            down = _targets_down(settings, left_out)
            if not down:
                return
            time.sleep(1)
    words = "\n".join(f"  {job}: {why}" for job, why in down.items())
    raise DemoError(f"After {TARGETS_SECONDS} s these targets are not up:\n{words}")


def _targets_down(settings: Settings, left_out: tuple[str, ...]) -> dict[str, str]:
    url = f"{settings.local_url('prometheus')}/api/v1/targets"
    try:
        with connections.session(settings) as session:
            targets = session.get(url, timeout=5).json()["data"]["activeTargets"]
    except (requests.RequestException, KeyError) as error:
        return {"prometheus": str(error)}
    return {
        target["labels"]["job"]: target["lastError"] or "not scraped yet"
        for target in targets
        if target["health"] != "up" and target["labels"]["job"] not in left_out
    }


def summary(config: program.StackConfig, workspace: Workspace, left_out: tuple[str, ...]) -> None:
    settings = config.settings(STACK)
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("where")
    for service in settings.published:
        if service not in left_out:
            table.add_row(service, settings.url(service))
    console.print(table)
    if "grafana" in left_out:
        say("Grafana is left out: no image of it is available. Its dashboards: `make dashboards`.")
    else:
        password = workspace.passwords()["grafanaAdminPassword"]
        console.print(
            f"\nGrafana: {settings.url('grafana')}/d/vitalstream-overview  "
            f"login {settings.grafana_admin_user} / {password}",
            soft_wrap=True,
        )
    say("`make ps` and `make logs SERVICE=prometheus` show what runs; `make down` removes it.")


def say(words: str) -> None:
    console.print(words, soft_wrap=True)
