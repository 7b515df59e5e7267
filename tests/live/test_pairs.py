"""High availability of two Prometheus servers and three Alertmanagers when one is lost."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker
import pytest
import requests

from tests.certificates import authority
from tests.live.delivery import (
    BACKEND,
    BOUND_SECONDS,
    CRITICAL,
    GROUP_WAIT_SECONDS,
    MAIL,
    Pace,
    Subject,
    is_resolved,
    messages_of,
    subject,
)
from tests.live.delivery_cases import FAST
from tests.live.delivery_runs import gather_less
from tests.live.sinks import Message
from tests.live.stack import TIMEOUT_SECONDS, eventually, not_of_this_machine, say
from tests.ports import free_ports

NAME = "live-pairs"
PROMETHEUSES = ("prometheus", "prometheus-2")
ALERTMANAGERS = ("alertmanager", "alertmanager-2", "alertmanager-3")
# Alertmanager's group interval is shortened to that of FAST.
PACE = Pace(scrape=2, evaluation=2, group=FAST.group)
# Not sooner: while a stack starts, a job without a sample counts as a job without a target.
DELAY_SECONDS = 20
# As in rules/: it is the constant alert.
BACKEND_SECONDS = 60
HEALTHY_SECONDS = 90
# Time that each peer waits for the previous one in the cluster to send (--cluster.peer-timeout).
PEER_SECONDS = 15
# Time for all three to reach the point at which they would repeat a message already sent.
SETTLED_SECONDS = GROUP_WAIT_SECONDS[CRITICAL] + len(ALERTMANAGERS) * PEER_SECONDS
OUTAGE_SECONDS = 20
# A longer interval between two samples of a series means that a scrape was missed.
GAP_SECONDS = 1.5 * PACE.scrape
LEFT_OUT = frozenset({"grafana", "postgres-exporter", "redis-exporter"})
ALERTS = {
    # Critical alerts have a group_wait of 5 s instead of 30 s.
    "NodeExporterDown": {"for": f"{DELAY_SECONDS}s", "severity": "critical"},
    **{
        name: {"enabled": False}
        for name in ("AlertmanagerDown", "GrafanaDown", "PostgreSQLDown", "RedisDown", "TargetDown")
    },
}


@dataclass(frozen=True)
class Story:
    """Results of the scenario; each list of messages ends at its step."""

    clusters: list[dict[str, Any]]
    sent_after_restarts: list[Message]
    samples: dict[str, list[float]]
    outage: tuple[float, float]
    sent_by_remaining_prometheus: list[Message]
    sent_during_partition: list[Message]
    healed: bool


@pytest.fixture(scope="module")
def story(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Story]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    values = {
        "prometheus": {"replicas": 2},
        "alertmanager": {"replicas": 3},
        "ports": free_ports(*PROMETHEUSES[1:], *ALERTMANAGERS[1:]),
        "alerts": ALERTS,
    }
    with subject(NAME, docker_client, images, PACE, LEFT_OUT, authority(), **values) as pairs:
        yield play(pairs)


def play(pairs: Subject) -> Story:
    """Run the scenario. Without a backend, BackendDown fires as long as the stack is up."""
    gather_less(pairs, *ALERTMANAGERS)
    pairs.sink.wait_until(lambda all_: len(down(all_)) == 3, BACKEND_SECONDS + BOUND_SECONDS)
    clusters = [cluster(pairs, name) for name in ALERTMANAGERS]
    for name in (*ALERTMANAGERS, *PROMETHEUSES):
        pairs.stack.container(name).restart(timeout=10)
        wait_until_healthy(pairs, name)
    time.sleep(SETTLED_SECONDS)
    sent_after_restarts = pairs.sink.messages
    outage, sent_by_remaining_prometheus = lose_a_prometheus(pairs)
    samples = {name: scrapes(pairs, name) for name in PROMETHEUSES}
    sent_during_partition = cut_off(pairs)
    for message in pairs.sink.messages:
        say(f"{datetime.fromtimestamp(message.at, UTC):%H:%M:%S.%f} {message.to} {message.title}")
    healed = eventually(
        lambda: all(len(cluster(pairs, name)["peers"]) == 3 for name in ALERTMANAGERS), 60
    )
    return Story(
        clusters,
        sent_after_restarts,
        samples,
        outage,
        sent_by_remaining_prometheus,
        sent_during_partition,
        healed,
    )


def lose_a_prometheus(pairs: Subject) -> tuple[tuple[float, float], list[Message]]:
    """Kill one Prometheus, then node_exporter during that outage.

    Return the outage's times and the messages sent meanwhile.
    """
    container = pairs.stack.container(PROMETHEUSES[0])
    container.kill()
    began = time.time()
    time.sleep(OUTAGE_SECONDS / 2)
    sent = node_down(pairs)
    time.sleep(max(0.0, began + OUTAGE_SECONDS - time.time()))
    ended = time.time()
    container.start()
    wait_until_healthy(pairs, PROMETHEUSES[0])
    time.sleep(3 * PACE.scrape)
    return (began, ended), sent


def cut_off(pairs: Subject) -> list[Message]:
    """Return the messages about node_exporter sent while the third Alertmanager is partitioned.

    Reconnect it afterwards.
    """
    network = pairs.stack.client.networks.get(f"vitalstream-{NAME}-gossip")
    third = pairs.stack.container(ALERTMANAGERS[2])
    address = third.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    network.disconnect(third)
    try:
        assert eventually(lambda: len(cluster(pairs, ALERTMANAGERS[0])["peers"]) == 2, 60)
        return node_down(pairs)
    finally:
        network.connect(third, ipv4_address=address)


def node_down(pairs: Subject) -> list[Message]:
    """Kill node_exporter and return its messages once each Alertmanager could have sent one."""
    container = pairs.stack.container("node-exporter")
    container.kill()
    began = time.time()

    def about(messages: list[Message]) -> list[Message]:
        found = messages_of("NodeExporterDown", messages)
        return [message for message in found if message.at > began]

    try:
        floor = PACE.scrape + DELAY_SECONDS + PACE.evaluation + GROUP_WAIT_SECONDS[CRITICAL]
        pairs.sink.wait_until(lambda all_: bool(about(all_)), floor + BOUND_SECONDS)
        time.sleep(len(ALERTMANAGERS) * PEER_SECONDS)
        sent = [found for found in about(pairs.sink.messages) if not is_resolved(found)]
    finally:
        container.start()
    over = PACE.scrape + PACE.evaluation + PACE.group + len(ALERTMANAGERS) * PEER_SECONDS
    pairs.sink.wait_until(lambda all_: any(map(is_resolved, about(all_))), over + BOUND_SECONDS)
    return sent


def down(messages: list[Message]) -> list[Message]:
    return messages_of("BackendDown", messages)


def cluster(pairs: Subject, name: str) -> dict[str, Any]:
    found: dict[str, Any] = pairs.stack.get(name, "/api/v2/status")["cluster"]
    return found


def wait_until_healthy(pairs: Subject, name: str) -> None:
    def healthy() -> bool:
        return bool(pairs.stack.container(name).health == "healthy")

    assert eventually(healthy, HEALTHY_SECONDS), f"{name} is not healthy"


def scrapes(pairs: Subject, name: str) -> list[float]:
    """Return the Unix times of a Prometheus' samples of node_exporter in the last 20 minutes."""
    url = f"{pairs.stack.result.urls[name]}/api/v1/query"
    answer = requests.get(url, {"query": 'up{job="node"}[20m]'}, timeout=TIMEOUT_SECONDS)
    return [float(at) for series in answer.json()["data"]["result"] for at, _ in series["values"]]


def gaps(times: list[float], since: float) -> list[float]:
    """Return the seconds between samples since a time that exceed a scrape interval."""
    ordered = sorted(at for at in times if at >= since)
    return [b - a for a, b in itertools.pairwise(ordered) if b - a > GAP_SECONDS]


def test_alertmanager_cluster_has_three_peers(story: Story) -> None:
    assert [found["status"] for found in story.clusters] == ["ready"] * 3
    peers = [{peer["address"] for peer in found["peers"]} for found in story.clusters]
    assert [len(found) for found in peers] == [3, 3, 3]
    assert peers[0] == peers[1] == peers[2]


def test_constant_alert_during_rolling_restart_is_sent_once(
    story: Story,
) -> None:
    """Covers two Prometheus servers and three Alertmanagers."""
    sent = Counter(message.to for message in down(story.sent_after_restarts))
    assert sent == {CRITICAL: 1, MAIL: 1, BACKEND: 1}


def test_killed_prometheus_has_a_gap(story: Story) -> None:
    began, _ = story.outage
    assert max(gaps(story.samples["prometheus"], began - 30)) > OUTAGE_SECONDS


def test_prometheus_pair_has_no_common_gap(story: Story) -> None:
    began, _ = story.outage
    together = [at for times in story.samples.values() for at in times]
    assert len(together) > 2 * OUTAGE_SECONDS / PACE.scrape
    assert gaps(together, began - 30) == []


def test_alert_with_one_prometheus_down_is_sent_once(story: Story) -> None:
    assert Counter(message.to for message in story.sent_by_remaining_prometheus) == {
        CRITICAL: 1,
        MAIL: 1,
    }


def test_alert_during_alertmanager_partition_is_sent(story: Story) -> None:
    """Accept one or two messages: each side of the partition may send it."""
    sent = Counter(message.to for message in story.sent_during_partition)
    assert set(sent) == {CRITICAL, MAIL}
    assert set(sent.values()) <= {1, 2}


def test_partitioned_alertmanager_rejoins_cluster(story: Story) -> None:
    assert story.healed
