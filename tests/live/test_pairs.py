"""Two Prometheuses and three Alertmanagers: one of them may go, and nothing is missed by it."""

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
# Not sooner: while a stack comes up, a job without a sample yet is one without a target.
DELAY_SECONDS = 20
# As in rules/: it is the constant alert.
BACKEND_SECONDS = 60
HEALTHY_SECONDS = 90
# How long each waits for the one before it in the cluster to have sent a message.
PEER_SECONDS = 15
# Until all three have had their turn to tell what one of them has told already.
SETTLED_SECONDS = GROUP_WAIT_SECONDS[CRITICAL] + len(ALERTMANAGERS) * PEER_SECONDS
OUTAGE_SECONDS = 20
# Longer than this between two samples of a series, and one scrape was missed.
GAP_SECONDS = 1.5 * PACE.scrape
LEFT_OUT = frozenset({"grafana", "postgres-exporter", "redis-exporter"})
ALERTS = {
    # Critical, since those are gathered for 5 s and not for 30.
    "NodeExporterDown": {"for": f"{DELAY_SECONDS}s", "severity": "critical"},
    **{
        name: {"enabled": False}
        for name in ("AlertmanagerDown", "GrafanaDown", "PostgreSQLDown", "RedisDown", "TargetDown")
    },
}


@dataclass(frozen=True)
class Story:
    """What came of it all; the lists of messages are those up to that moment."""

    clusters: list[dict[str, Any]]
    told_after_restarts: list[Message]
    samples: dict[str, list[float]]
    outage: tuple[float, float]
    told_by_one: list[Message]
    told_when_cut: list[Message]
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
    """There is no backend: BackendDown fires as long as the stack is there."""
    gather_less(pairs, *ALERTMANAGERS)
    pairs.sink.wait_until(lambda all_: len(down(all_)) == 3, BACKEND_SECONDS + BOUND_SECONDS)
    clusters = [cluster(pairs, name) for name in ALERTMANAGERS]
    for name in (*ALERTMANAGERS, *PROMETHEUSES):
        pairs.stack.container(name).restart(timeout=10)
        wait_until_healthy(pairs, name)
    time.sleep(SETTLED_SECONDS)
    told_after_restarts = pairs.sink.messages
    outage, told_by_one = lose_a_prometheus(pairs)
    samples = {name: scrapes(pairs, name) for name in PROMETHEUSES}
    told_when_cut = cut_off(pairs)
    for message in pairs.sink.messages:
        say(f"{datetime.fromtimestamp(message.at, UTC):%H:%M:%S.%f} {message.to} {message.title}")
    healed = eventually(
        lambda: all(len(cluster(pairs, name)["peers"]) == 3 for name in ALERTMANAGERS), 60
    )
    return Story(
        clusters,
        told_after_restarts,
        samples,
        outage,
        told_by_one,
        told_when_cut,
        healed,
    )


def lose_a_prometheus(pairs: Subject) -> tuple[tuple[float, float], list[Message]]:
    """One is killed, and node_exporter while it is gone. When it was gone, and what was told."""
    container = pairs.stack.container(PROMETHEUSES[0])
    container.kill()
    began = time.time()
    time.sleep(OUTAGE_SECONDS / 2)
    told = node_down(pairs)
    time.sleep(max(0.0, began + OUTAGE_SECONDS - time.time()))
    ended = time.time()
    container.start()
    wait_until_healthy(pairs, PROMETHEUSES[0])
    time.sleep(3 * PACE.scrape)
    return (began, ended), told


def cut_off(pairs: Subject) -> list[Message]:
    """What is told of node_exporter's end while the third Alertmanager hears nothing of the others,
    which it does again afterwards.
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
    """What is told of node_exporter until each Alertmanager had its turn, from its end on."""
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
        told = [found for found in about(pairs.sink.messages) if not is_resolved(found)]
    finally:
        container.start()
    over = PACE.scrape + PACE.evaluation + PACE.group + len(ALERTMANAGERS) * PEER_SECONDS
    pairs.sink.wait_until(lambda all_: any(map(is_resolved, about(all_))), over + BOUND_SECONDS)
    return told


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
    """When a Prometheus took a sample of node_exporter, in Unix time, the last 20 minutes."""
    url = f"{pairs.stack.result.urls[name]}/api/v1/query"
    answer = requests.get(url, {"query": 'up{job="node"}[20m]'}, timeout=TIMEOUT_SECONDS)
    return [float(at) for series in answer.json()["data"]["result"] for at, _ in series["values"]]


def gaps(times: list[float], since: float) -> list[float]:
    """The seconds between samples that are longer than a scrape interval, from then on."""
    ordered = sorted(at for at in times if at >= since)
    return [b - a for a, b in itertools.pairwise(ordered) if b - a > GAP_SECONDS]


def test_every_alertmanager_knows_the_others(story: Story) -> None:
    assert [found["status"] for found in story.clusters] == ["ready"] * 3
    peers = [{peer["address"] for peer in found["peers"]} for found in story.clusters]
    assert [len(found) for found in peers] == [3, 3, 3]
    assert peers[0] == peers[1] == peers[2]


def test_a_constant_alert_is_told_once_though_one_after_the_other_is_restarted(
    story: Story,
) -> None:
    """By two Prometheuses and three Alertmanagers."""
    told = Counter(message.to for message in down(story.told_after_restarts))
    assert told == {CRITICAL: 1, MAIL: 1, BACKEND: 1}


def test_the_prometheus_that_was_killed_has_a_gap(story: Story) -> None:
    began, _ = story.outage
    assert max(gaps(story.samples["prometheus"], began - 30)) > OUTAGE_SECONDS


def test_the_two_together_have_no_gap(story: Story) -> None:
    began, _ = story.outage
    together = [at for times in story.samples.values() for at in times]
    assert len(together) > 2 * OUTAGE_SECONDS / PACE.scrape
    assert gaps(together, began - 30) == []


def test_an_alert_is_told_once_while_one_prometheus_is_gone(story: Story) -> None:
    assert Counter(message.to for message in story.told_by_one) == {CRITICAL: 1, MAIL: 1}


def test_an_alert_is_told_while_an_alertmanager_is_cut_off(story: Story) -> None:
    """It may be told twice, by each side, but not never."""
    told = Counter(message.to for message in story.told_when_cut)
    assert set(told) == {CRITICAL, MAIL}
    assert set(told.values()) <= {1, 2}


def test_the_one_that_was_cut_off_finds_back(story: Story) -> None:
    assert story.healed
