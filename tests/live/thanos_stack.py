"""Data and queries for the tests of Thanos."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.models.containers import Container

from components.catalog.images import IMAGES
from components.catalog.thanos import HTTP_PORT, QUERIER
from tests import backup_archives as archives
from tests.live.stack import TIMEOUT_SECONDS, Stack
from tests.object_store import ObjectStore

HISTORY = "live_history"
BUCKET = "live-blocks"
BLOCK_SECONDS = 2 * 3600
STEP_SECONDS = 60
PATIENTS = 2
# Long enough for the compactor to make blocks of 2 days, of which it makes aggregates.
DAYS = 5
SAMPLES = DAYS * 86400 // STEP_SECONDS
Found = dict[str, Any]


@dataclass(frozen=True)
class Querier:
    """Querier, at the container's own address."""

    stack: Stack

    def ask(self, path: str, **params: Any) -> Found:
        """Return the whole successful answer, including `warnings`."""
        settings = self.stack.settings
        answer = requests.post(
            f"{settings.scheme}://{self.stack.address(QUERIER)}:{HTTP_PORT}/api/v1/{path}",
            data=params,
            auth=(settings.web_user, settings.web_password.get_secret_value()),
            # The certificate is for names, and this is an address in Docker.
            verify=False,
            timeout=6 * TIMEOUT_SECONDS,
        )
        found: Found = answer.json()
        assert found["status"] == "success", f"{params}: {answer.text[:500]}"
        return found

    def query(self, expr: str, **params: Any) -> list[Found]:
        series: list[Found] = self.ask("query", query=expr, **params)["data"]["result"]
        return series

    def value(self, expr: str, **params: Any) -> float | None:
        found = self.query(expr, **params)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None


@dataclass(frozen=True)
class View:
    stack: Stack
    store: ObjectStore
    querier: Querier
    ends: int
    """End of the history, in seconds since 1970."""

    def history(self, what: str) -> list[dict[str, Any]]:
        """Evaluate an expression over the history's whole range, at its end."""
        return self.querier.query(what.format(f"{HISTORY}[{DAYS + 1}d]"), time=self.ends)


@contextlib.contextmanager
def stopped(*containers: Container) -> Iterator[None]:
    for container in containers:
        container.stop(timeout=10)
    try:
        yield
    finally:
        for container in containers:
            container.start()


def history(days: float, ends: int) -> bytes:
    """Write one sample a minute for each patient, in OpenMetrics."""
    begin = int(ends - days * 86400)
    lines = [
        f'{HISTORY}{{patient="{patient}"}} {60 + patient + (moment // 60) % 7} {moment}'
        for patient in range(PATIENTS)
        for moment in range(begin, ends, STEP_SECONDS)
    ]
    return "\n".join([f"# TYPE {HISTORY} gauge", *lines, "# EOF\n"]).encode()


def add_blocks(client: docker.DockerClient, image: str | None, volume: str, text: bytes) -> None:
    """Puts blocks that promtool makes of the text into a volume, which gets the image's owner."""
    container = client.containers.create(
        image or IMAGES["prometheus"].reference,
        entrypoint=["promtool"],
        command=["tsdb", "create-blocks-from", "openmetrics", "/tmp/history", "/prometheus"],
        network_mode="none",
        volumes={volume: {"bind": "/prometheus", "mode": "rw"}},
    )
    try:
        entry = archives.entry("history", len(text), mode=0o444)
        container.put_archive("/tmp", archives.tar_of((entry, text)))
        container.start()
        status = container.wait(timeout=300)["StatusCode"]
        assert status == 0, container.logs().decode()
    finally:
        container.remove(force=True, v=True)


def metas(store: ObjectStore) -> dict[str, Found]:
    """Return each block's `meta.json` in the bucket, by block name."""
    names = [name for name in store.objects(BUCKET) if name.endswith("/meta.json")]
    return {name.partition("/")[0]: json.loads(store.read(BUCKET, name)) for name in names}


def local_blocks(stack: Stack, service: str) -> set[str]:
    """Return the finished blocks of a Prometheus."""
    command = ["sh", "-c", "cd /prometheus && ls -d ??????????????????????????"]
    _, output = stack.container(service).exec_run(command)
    assert isinstance(output, bytes)
    return {name for name in output.decode().split() if len(name) == 26}


def run_thanos(stack: Stack, like: str, command: Sequence[str], volumes: Mapping[str, Any]) -> str:
    """Runs Thanos once with another command, where and as one of its services runs, and returns
    what it logged.
    """
    service = stack.container(like)
    mounted = {
        mount["Name"]: {"bind": mount["Destination"], "mode": "rw"}
        for mount in service.attrs["Mounts"]
        if mount["Type"] == "volume"
    }
    container = stack.client.containers.create(
        service.attrs["Image"],
        command=list(command),
        user=service.attrs["Config"]["User"],
        network=next(name for name in _networks(stack, like) if name.endswith("-thanos-storage")),
        volumes={**mounted, **volumes},
        labels={"vitalstream.stack": stack.name},
    )
    try:
        container.start()
        status = container.wait(timeout=300)["StatusCode"]
        said = container.logs().decode()
    finally:
        container.remove(force=True, v=True)
    assert status == 0, said[-3000:]
    return said


def _networks(stack: Stack, service: str) -> list[str]:
    return list(stack.container(service).attrs["NetworkSettings"]["Networks"])


def gaps(series: Found) -> float:
    """Return the longest time between two samples of a range, in seconds."""
    moments = [float(moment) for moment, _ in series["values"]]
    return max(b - a for a, b in itertools.pairwise(moments))


def restart(stack: Stack, service: str) -> None:
    """And waits until it answers again."""
    stack.container(service).restart(timeout=10)
    url = f"http://{stack.address(service)}:{HTTP_PORT}/-/ready"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=TIMEOUT_SECONDS).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise AssertionError(f"{service} is not ready again")
