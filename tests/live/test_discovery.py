"""Backends that come and go by a file and by a DNS name, without a restart or a reload."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from components.catalog.images import IMAGES
from components.demo import ROOT, source_hash
from components.user_files.paths import PROJECT_DIR
from ops.offline import local_deploy
from tests.live import stack as stacks
from tests.live.stack import SCRAPE_SECONDS, Stack, edited, eventually, say

STACK = "live-discovery"
APPLICATION = "live-discovery-app"
NAME = "backend.live-discovery"
FILE = "targets/backend.json"
LEFT_OUT = frozenset(("grafana", "node-exporter", "postgres-exporter", "redis-exporter"))
RELOADED = "prometheus_config_last_reload_success_timestamp_seconds"
FILLED = 'up{job="backend"}'
BACKEND_DOWN = 'alertname="BackendDown"'
PENDING, FIRING = 'alertstate="pending"', 'alertstate="firing"'
# Prometheus hands on what it discovers every 5 s; then a scrape, and a rule's evaluation.
NOTICED_SECONDS = 30
# The alert's own `for`, from the first evaluation that finds nothing.
FIRES_SECONDS = 60 + NOTICED_SECONDS

Backend = Callable[..., Any]


@pytest.fixture(scope="module")
def application(docker_client: docker.DockerClient) -> Iterator[Network]:
    with stacks.alone(APPLICATION, docker_client):
        labels = {"vitalstream.stack": APPLICATION}
        yield docker_client.networks.create(APPLICATION, internal=True, labels=labels)


@pytest.fixture(scope="module")
def backend(
    docker_client: docker.DockerClient, application: Network, images: dict[str, str]
) -> Backend:
    """Runs a backend of the demo for a while, known in the application's network by names."""
    tag = f"vitalstream-demo:{source_hash()}"
    base = images.get("demo-python", IMAGES["demo-python"].reference)
    docker_client.images.build(
        path=str(ROOT), dockerfile="demo/Dockerfile", buildargs={"BASE": base}, tag=tag, rm=True
    )

    @contextlib.contextmanager
    def run(*names: str) -> Iterator[Container]:
        container = docker_client.containers.create(tag, labels={"vitalstream.stack": APPLICATION})
        try:
            docker_client.networks.get("bridge").disconnect(container)
            application.connect(container, aliases=list(names))
            container.start()
            container.reload()
            yield container
        finally:
            container.remove(force=True, v=True)

    return run


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient,
    application: Network,
    images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Prometheus and Alertmanager, with a name that nobody has and a file without a target."""
    targets = tmp_path_factory.mktemp("targets") / "backend.json"
    targets.write_text("[]")
    with stacks.alone(STACK, docker_client):
        config = stacks.config(
            images,
            applicationNetworks=[str(application.name)],
            backendTargets=[],
            backendDns=[{"name": NAME, "port": 8000, "refreshInterval": "1s"}],
            backendTargetFiles=[os.path.relpath(targets, PROJECT_DIR)],
        )
        result = local_deploy.up(STACK, config, say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


def _listed(stack: Stack, *targets: str) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """Deliver the file with these targets as an `up` does."""
    files = stack.config_files("prometheus")
    groups = json.dumps([{"targets": list(targets)}] if targets else [])
    return edited(files, {**files["files"], FILE: groups})


def _up(stack: Stack) -> dict[str, float]:
    """Return Prometheus' current backends, by instance."""
    return {
        series["metric"]["instance"]: float(series["value"][1]) for series in stack.query(FILLED)
    }


def _becomes(stack: Stack, *instances: str) -> bool:
    began = time.monotonic()
    wanted = dict.fromkeys(instances, 1.0)
    found = eventually(lambda: _up(stack) == wanted, NOTICED_SECONDS, pause=0.2)
    say(f"{sorted(wanted)} after {time.monotonic() - began:.1f} s")
    return found


def _address(container: Container) -> str:
    container.reload()
    address = container.attrs["NetworkSettings"]["Networks"][APPLICATION]["IPAddress"]
    return f"{address}:8000"


def _alerts(stack: Stack, *matchers: str, over: str = "") -> list[dict[str, str]]:
    """BackendDown, pending and firing, as it is or as it was at any time of a range."""
    series = f"ALERTS{{{', '.join((BACKEND_DOWN, *matchers))}}}"
    found = stack.query(f"count_over_time({series}[{over}])" if over else series)
    return [one["metric"] for one in found]


def test_a_discovery_that_finds_nothing_pages(stack: Stack) -> None:
    assert _up(stack) == {}
    (alert,) = eventually(lambda: _alerts(stack, FIRING), FIRES_SECONDS)
    assert ("instance" in alert, alert["severity"]) == (False, "critical")


def test_a_file_adds_and_removes_a_backend_without_a_restart_or_a_reload(
    stack: Stack, backend: Backend
) -> None:
    assert eventually(lambda: stack.value(RELOADED), NOTICED_SECONDS)
    before = (stack.started_at("prometheus"), stack.value(RELOADED))
    with backend("api-1"), backend("api-2"):
        with _listed(stack, "api-1:8000"):
            assert _becomes(stack, "api-1:8000")
        with _listed(stack, "api-1:8000", "api-2:8000"):
            assert _becomes(stack, "api-1:8000", "api-2:8000")
        with _listed(stack, "api-1:8000"):
            assert _becomes(stack, "api-1:8000")
    assert (stack.started_at("prometheus"), stack.value(RELOADED)) == before


def test_what_was_taken_out_of_the_file_does_not_page(stack: Stack, backend: Backend) -> None:
    gone = 'instance="gone:8000"'
    # One within the other: in between, the file would be empty, which is an outage of its own.
    with backend("api-1"), _listed(stack, "api-1:8000", "gone:8000"):
        assert eventually(lambda: _alerts(stack, gone, PENDING), 2 * NOTICED_SECONDS)
        with _listed(stack, "api-1:8000"):
            assert _becomes(stack, "api-1:8000")
            assert eventually(lambda: not _alerts(stack), NOTICED_SECONDS)
            time.sleep(2 * SCRAPE_SECONDS)
            assert _alerts(stack) == []
    assert _alerts(stack, gone, FIRING, over="10m") == []


def test_a_name_whose_answers_change_brings_a_second_backend_and_lets_it_go(
    stack: Stack, backend: Backend
) -> None:
    before = (stack.started_at("prometheus"), stack.value(RELOADED))
    with backend(NAME) as first:
        assert _becomes(stack, _address(first))
        with backend(NAME) as second:
            assert _becomes(stack, _address(first), _address(second))
            let_go = _address(second)
        assert _becomes(stack, _address(first))
        assert eventually(lambda: not _alerts(stack), NOTICED_SECONDS)
        time.sleep(2 * SCRAPE_SECONDS)
        assert _alerts(stack) == []
    assert _alerts(stack, f'instance="{let_go}"', FIRING, over="10m") == []
    assert (stack.started_at("prometheus"), stack.value(RELOADED)) == before


def test_the_last_backend_of_a_name_pages_when_it_goes(stack: Stack, backend: Backend) -> None:
    with backend(NAME) as last:
        assert _becomes(stack, _address(last))
    assert eventually(lambda: _alerts(stack, FIRING), FIRES_SECONDS)
    say(f"paged by {_alerts(stack, FIRING)}, targets {_up(stack)}")
