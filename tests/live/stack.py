"""Stack on real containers, with queries for the tests."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import platform
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import docker
import requests
from docker.models.containers import Container

from components.catalog.images import IMAGES
from components.docker.config_files_provider import ConfigFilesProvider
from components.settings.settings import Settings
from ops import connections
from ops.offline import local_deploy, program
from tests.local_images import local_images
from tests.pools import free_pool
from tests.ports import free_ports
from tests.turns import turn

SCRAPE_SECONDS = 2
# A scrape may take as long as its interval: the demo computes, so on a busy machine it needs more.
DEMO_SCRAPE_SECONDS = 5
TIMEOUT_SECONDS = 10
CONFIG_FILES = "pulumi-python:dynamic/vitalstream:ConfigFiles"
# Invented for the tests; nothing else may show them.
SECRETS = {
    "grafanaAdminPassword": "live-grafana-Password-1",
    "postgresPassword": "live-postgres-Password-2",
    "redisPassword": "live-redis-Password-3",
    "slackWebhookUrl": "https://hooks.slack.invalid/services/LIVE-Secret-4",
    "mailPassword": "live-mail-Password-5",
}
Found = TypeVar("Found")


def say(line: str) -> None:
    """Shown by pytest when a test fails."""
    print(line, flush=True)


def eventually(ask: Callable[[], Found], seconds: float, pause: float = 0.5) -> Found:
    """Return the first truthy answer, or the last one after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(pause)
    return found


def not_of_this_machine(client: docker.DockerClient) -> str | None:
    """Return why the Docker Engine does not run on this machine, or None."""
    info = client.info()
    there = (info["Name"], info["KernelVersion"])
    here = (socket.gethostname(), platform.release())
    return None if there == here else f"the Docker Engine runs on {there}, the tests on {here}"


def images(client: docker.DockerClient) -> dict[str, str]:
    """Made of Debian's packages; with LIVE_IMAGES=pinned the program's own, pulled.

    LIVE_IMAGES as a JSON object, by service, chooses other images than those of the packages.
    """
    chosen = os.environ.get("LIVE_IMAGES", "{}")
    if chosen != "pinned":
        return local_images(client, say) | json.loads(chosen)
    for image in IMAGES.values():
        client.images.pull(image.reference)
    return {}


def config(images: dict[str, str], **values: Any) -> program.StackConfig:
    """Configure a stack with short intervals, free ports and every secret set."""
    values = {
        "demo": False,
        "scrapeInterval": f"{SCRAPE_SECONDS}s",
        "evaluationInterval": f"{SCRAPE_SECONDS}s",
        "ports": free_ports(),
        "networkPool": free_pool(),
        "images": images,
        "mailSmarthost": "mail.invalid:587",
        "mailUsername": "live",
        **SECRETS,
        **values,
    }
    return program.StackConfig.of_values(values, set(program.SECRETS))


@contextlib.contextmanager
def alone(stack: str, client: docker.DockerClient) -> Iterator[None]:
    """Remove the stack before and after the block, and hold its lock between runs."""
    with turn(stack):
        local_deploy.down(client, stack, volumes=True)
        try:
            yield
        finally:
            try:
                local_deploy.down(client, stack, volumes=True)
            except local_deploy.StaleNetworkError as error:
                # A fault of Docker's own, which says nothing of the stack: shown, not failed for.
                warnings.warn(str(error), stacklevel=1)


@dataclass(frozen=True)
class Stack:
    """Running stack."""

    name: str
    client: docker.DockerClient
    config: program.StackConfig
    result: local_deploy.Result

    def container(self, service: str) -> Container:
        return self.client.containers.get(f"vitalstream-{self.name}-{service}")

    def containers(self) -> list[Container]:
        return self.client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"vitalstream.stack={self.name}"}
        )

    def address(self, service: str) -> str:
        """Return a container's IP address, reachable also in an internal network."""
        networks = self.container(service).attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def started_at(self, service: str) -> str:
        return str(self.container(service).attrs["State"]["StartedAt"])

    def get(self, service: str, path: str, **params: Any) -> Any:
        """Return a service's JSON answer."""
        url = self.result.urls[service] + path
        with self.session() as session:
            answer = session.get(url, params=params, timeout=TIMEOUT_SECONDS)
        assert answer.ok, f"{url}: {answer.text}"
        return answer.json()

    def session(self) -> requests.Session:
        """Return a session with the stack's CA and login, for Prometheus and Alertmanager."""
        return connections.session(self.settings)

    @functools.cached_property
    def settings(self) -> Settings:
        return self.config.settings(self.name)

    def ask(self, path: str, **params: Any) -> Any:
        """Return the data of an answer of Prometheus' API."""
        return self.get("prometheus", f"/api/v1/{path}", **params)["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an instant query."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def value(self, expr: str) -> float | None:
        """Return the only value of an instant query, or None without a series."""
        found = self.query(expr)
        assert len(found) <= 1, f"{expr} has {len(found)} series"
        return float(found[0]["value"][1]) if found else None

    def numbers(self, expr: str, *, instant: bool, seconds: int = 120) -> list[float]:
        """Return all numeric values of a query, as a panel draws them."""
        now = time.time()
        if instant:
            pairs = [series["value"] for series in self.query(expr)]
        else:
            window = {"start": now - seconds, "end": now, "step": SCRAPE_SECONDS}
            result = self.ask("query_range", query=expr, **window)["result"]
            pairs = [pair for series in result for pair in series["values"]]
        return [number for _, text in pairs if not math.isnan(number := float(text))]

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return every rule that Prometheus has loaded, by name."""
        groups = self.ask("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def config_files(self, service: str) -> dict[str, Any]:
        """Return the inputs of a service's `ConfigFiles`, as its provider gets them."""
        inputs = next(
            found.inputs
            for found in self.result.registrations
            if found.type == CONFIG_FILES and found.name == f"{service}-config"
        )
        props: dict[str, Any] = program.unwrap(inputs)
        del props["__provider"]
        return props


def silence(stack: Stack, alert: str, comment: str) -> str:
    """Silences an alert for an hour. Returns the silence's id."""
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "alertname", "value": alert, "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "live",
        "comment": comment,
    }
    url = f"{stack.result.urls['alertmanager']}/api/v2/silences"
    with stack.session() as session:
        answer = session.post(url, json=body, timeout=TIMEOUT_SECONDS)
    assert answer.ok, answer.text
    return str(answer.json()["silenceID"])


@contextlib.contextmanager
def edited(olds: dict[str, Any], files: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Replace the files of a `ConfigFiles` as an `up` would; restore them after the block."""
    provider, news = ConfigFilesProvider(), {**olds, "files": files}
    id_ = f"{olds['volume']}:{olds['target']}"
    provider.update(id_, olds, news)
    try:
        yield news
    finally:
        provider.update(id_, news, olds)
