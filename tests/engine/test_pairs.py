"""High availability on the real engine: rolling replacement of replicas without loss."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import docker
import pytest
import requests

from tests.certificates import authority
from tests.engine.program import EngineStack, eventually
from tests.live.delivery import address, is_resolved, messages_of
from tests.live.sinks import Sink, sink
from tests.ports import free_ports

STACK = "engine-pairs"
LIKE = "dev"
SCRAPE_SECONDS = 3
PROMETHEUSES = ("prometheus", "prometheus-2")
ALERTMANAGERS = ("alertmanager", "alertmanager-2", "alertmanager-3")
CONFIG: dict[str, object] = {
    "demo": False,
    "scrapeInterval": f"{SCRAPE_SECONDS}s",
    "evaluationInterval": f"{SCRAPE_SECONDS}s",
    "prometheus": {"replicas": 2},
    "alertmanager": {"replicas": 3},
    "ports": free_ports(*PROMETHEUSES[1:], *ALERTMANAGERS[1:]),
}
# Time in which each Alertmanager would have sent its own message.
NOTIFIED_SECONDS = 60 + 5 + 3 * 15
# Only one is gone at a time; an evaluation is retried at the next interval.
GAP_SECONDS = 2.5 * SCRAPE_SECONDS


@pytest.fixture(scope="module")
def slack(docker_client: docker.DockerClient) -> Iterator[Sink]:
    ca = authority()
    with sink(ca, address(docker_client), ("nobody", "nothing")) as found:
        CONFIG["deliveryCa"] = {"slack": ca.pem.strip()}
        yield found


@pytest.fixture(scope="module")
def up(slack: Sink, engine: EngineStack) -> EngineStack:
    """Stack after `up`; without a backend, BackendDown fires all the time."""
    engine.set_secret("slackWebhookUrl", slack.slack_url)
    engine.up()
    return engine


def notified(slack: Sink) -> Counter[str]:
    """Count the BackendDown notifications by receiver."""
    found = messages_of("BackendDown", slack.messages)
    return Counter(message.to for message in found if not is_resolved(message))


def samples(engine: EngineStack, name: str) -> list[float]:
    """Return the Unix times of one Prometheus' samples of node_exporter."""
    url = f"http://127.0.0.1:{engine.values['ports'][name]}/api/v1/query"
    answer = requests.get(url, {"query": 'up{job="node"}[30m]'}, timeout=10)
    return [float(at) for series in answer.json()["data"]["result"] for at, _ in series["values"]]


class Watch(threading.Thread):
    """Thread that polls each Prometheus' readiness until it is stopped."""

    def __init__(self, engine: EngineStack) -> None:
        super().__init__()
        self._urls = [f"http://127.0.0.1:{engine.values['ports'][name]}" for name in PROMETHEUSES]
        self._left = threading.Event()
        self.ready: list[int] = []

    def run(self) -> None:
        while not self._left.wait(0.25):
            self.ready.append(sum(map(self._is_ready, self._urls)))

    def _is_ready(self, url: str) -> bool:
        try:
            return requests.get(f"{url}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._left.set()
        self.join()


@pytest.fixture(scope="module")
def rolled(up: EngineStack, slack: Sink) -> tuple[float, Watch]:
    """Change the retention and Alertmanager's limits, which replaces all five containers."""
    assert eventually(lambda: sum(notified(slack).values()) >= 2, NOTIFIED_SECONDS), slack.messages
    time.sleep(3 * 15)
    began = time.time()
    up.configure(retentionTime="8d", limits={"alertmanager": {"cpus": 0.4}})
    with Watch(up) as watch:
        assert up.up() == {"replace": 5}
    time.sleep(NOTIFIED_SECONDS)
    return began, watch


def test_up_makes_every_replica_healthy(up: EngineStack) -> None:
    services = {found.labels["vitalstream.service"] for found in up.containers()}
    assert {*PROMETHEUSES, *ALERTMANAGERS} <= services
    assert {container.health for container in up.containers()} == {"healthy"}


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_preview_refresh_unchanged_stack_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_rollout_keeps_one_prometheus_ready(rolled: tuple[float, Watch]) -> None:
    _, watch = rolled
    assert min(watch.ready) == 1
    assert watch.ready[-1] == 2


def test_rollout_of_all_replicas_misses_no_scrape(
    up: EngineStack, rolled: tuple[float, Watch]
) -> None:
    began, _ = rolled
    times = sorted(at for name in PROMETHEUSES for at in samples(up, name) if at > began - 30)
    assert max(b - a for a, b in itertools.pairwise(times)) < GAP_SECONDS


def test_rollout_of_all_replicas_sends_a_constant_alert_once(
    slack: Sink, rolled: tuple[float, Watch]
) -> None:
    assert notified(slack) == {"#vitalstream-critical": 1, "#vitalstream-backend": 1}


def test_rollout_completes_the_alertmanager_cluster(
    up: EngineStack, rolled: tuple[float, Watch]
) -> None:
    for name in ALERTMANAGERS:
        url = f"http://127.0.0.1:{up.values['ports'][name]}/api/v2/status"
        cluster = requests.get(url, timeout=10).json()["cluster"]
        assert len(cluster["peers"]) == len(ALERTMANAGERS)


def test_up_reduced_to_one_replica_keeps_the_first_ones_data(
    up: EngineStack, rolled: tuple[float, Watch]
) -> None:
    ports = {name: port for name, port in up.values["ports"].items() if name != "prometheus-2"}
    up.configure(prometheus={"replicas": 1}, ports=ports)
    up.up()
    assert {name for name in up.volumes() if name.endswith("prometheus-2-data")} == set()
    assert min(samples(up, "prometheus")) < rolled[0]


def test_destroy_removes_every_docker_resource(up: EngineStack) -> None:
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])
