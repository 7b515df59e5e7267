"""Targets that send garbage, 100 MB, a million series or wrong times affect only themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from components.catalog.images import IMAGES
from ops.offline import local_deploy
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually

STACK = "live-targets"
APPLICATION = "live-targets-app"
SERVER = Path(__file__).parent / "broken_targets.py"
REFUSED = {
    "garbage": "valid start token",
    "huge": "body size limit exceeded",
    "million": "limit exceeded",
    "many": "sample limit exceeded",
    "labels": "label_limit exceeded",
    "longlabel": "label_value_length_limit exceeded",
    "slow": "context deadline exceeded",
}
WELL = ("good", "clock")
LEFT_OUT = frozenset(("grafana", "node-exporter", "postgres-exporter", "redis-exporter"))


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """Prometheus and Alertmanager, and the broken targets as instances of the backend."""
    with stacks.alone(APPLICATION, docker_client), stacks.alone(STACK, docker_client):
        names = [*REFUSED, *WELL]
        labels = {"vitalstream.stack": APPLICATION}
        network = docker_client.networks.create(APPLICATION, internal=True, labels=labels)
        image = images.get("demo-python", IMAGES["demo-python"].reference)
        server = docker_client.containers.create(
            image, ["-c", SERVER.read_text()], entrypoint=["python3"], labels=labels
        )
        docker_client.networks.get("bridge").disconnect(server)
        network.connect(server, aliases=names)
        server.start()
        config = stacks.config(
            images,
            applicationNetworks=[APPLICATION],
            backendTargets=[f"{name}:8000" for name in names],
        )
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


def targets(stack: Stack) -> dict[str, dict[str, str]]:
    """Return Prometheus' current targets of the backend."""
    found = stack.ask("targets", state="active", scrapePool="backend")["activeTargets"]
    return {target["labels"]["instance"].partition(":")[0]: target for target in found}


@pytest.fixture(scope="module")
def seen(stack: Stack) -> dict[str, dict[str, str]]:
    """Return the backend's targets after each was scraped."""

    def asked() -> bool:
        found = targets(stack)
        return len(found) == len(REFUSED) + len(WELL) and all(
            target["health"] != "unknown" for target in found.values()
        )

    assert eventually(asked, 40)
    return targets(stack)


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_target_is_down_and_its_page_says_why(
    name: str, seen: dict[str, dict[str, str]]
) -> None:
    assert seen[name]["health"] == "down"
    assert REFUSED[name] in seen[name]["lastError"]


@pytest.mark.parametrize("name", WELL)
def test_a_good_target_beside_them_is_up(name: str, seen: dict[str, dict[str, str]]) -> None:
    assert (seen[name]["health"], seen[name]["lastError"]) == ("up", "")


@pytest.mark.usefixtures("seen")
def test_nothing_of_a_refused_answer_is_stored(stack: Stack) -> None:
    series = stack.query('count by (instance) ({__name__="http_requests_total"})')
    assert [found["metric"]["instance"] for found in series] == ["clock:8000"]


@pytest.mark.usefixtures("seen")
def test_a_sample_has_the_time_of_its_scrape_whatever_the_targets_clock_says(stack: Stack) -> None:
    behind = stack.value('abs(time() - timestamp(http_requests_total{instance="clock:8000"}))')
    assert behind is not None
    assert behind < 30


@pytest.mark.usefixtures("seen")
def test_prometheus_does_not_die_of_it(stack: Stack) -> None:
    container = stack.container("prometheus")
    assert (container.attrs["RestartCount"], container.attrs["State"]["OOMKilled"]) == (0, False)
