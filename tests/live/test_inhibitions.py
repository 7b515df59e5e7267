"""Inhibition rules in a real Alertmanager."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
import requests

from components.alertmanager import routing
from components.settings import loader
from tests.live.alertmanager import running
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, eventually
from tests.ports import free_port

STACK = "live-inhibit"
Labels = dict[str, str]


def alert(name: str, severity: str, service: str, **labels: str) -> Labels:
    return {
        "alertname": name,
        "severity": severity,
        "service": service,
        "stack": "prod",
        "instance": "a:1",
        **labels,
    }


BACKEND_DOWN = alert("BackendDown", "critical", "backend")
POSTGRESQL_DOWN = alert("PostgreSQLDown", "critical", "database")
REDIS_DOWN = alert("RedisDown", "critical", "cache")
FULL = alert("Full", "critical", "host")

# One of several backends is down; none is left.
ONE_DOWN = alert("BackendInstanceDown", "warning", "backend")
NONE_LEFT = alert("BackendUnavailable", "critical", "backend", instance="")

HELD_BACK = [
    (NONE_LEFT, alert("HighErrorRate", "critical", "backend", instance="")),
    (NONE_LEFT, alert("HighResponseTime", "warning", "backend", instance="")),
    (BACKEND_DOWN, NONE_LEFT),
    (BACKEND_DOWN, alert("DatabasePoolExhausted", "critical", "backend")),
    (ONE_DOWN, BACKEND_DOWN),
    (ONE_DOWN, alert("BackendFlapping", "critical", "backend")),
    (
        alert("BackendHanging", "critical", "backend"),
        alert("BackendNoTraffic", "critical", "backend", instance=""),
    ),
    (POSTGRESQL_DOWN, alert("PostgreSQLExporterDown", "warning", "database")),
    (REDIS_DOWN, alert("RedisExporterDown", "warning", "cache")),
    (FULL, alert("HighCPUUsage", "warning", "host")),
]
# Sent after the others: once its second is suppressed, the others' states are final.
LAST = (
    alert("Full", "critical", "host", instance="last:1"),
    alert("HighCPUUsage", "warning", "host", instance="last:1"),
)
TOLD = [
    # The source alert itself, where the inhibited one would be.
    *((target, source) for source, target in HELD_BACK),
    (BACKEND_DOWN, alert("PostgreSQLSlowQueries", "warning", "database")),
    # One of several that is dead says nothing of the others.
    (ONE_DOWN, alert("HighErrorRate", "critical", "backend", instance="")),
    (ONE_DOWN, alert("DatabasePoolExhausted", "critical", "backend", instance="b:1")),
    (ONE_DOWN, alert("BackendDown", "critical", "backend", instance="b:1")),
    (BACKEND_DOWN, alert("HighErrorRate", "critical", "backend", instance="")),
    (NONE_LEFT, BACKEND_DOWN),
    (POSTGRESQL_DOWN, alert("PostgreSQLFlapping", "critical", "database", instance="b:1")),
    (BACKEND_DOWN, alert("HighErrorRate", "critical", "backend", stack="dev")),
    (BACKEND_DOWN, alert("BackendDown", "critical", "backend", instance="b:1")),
    (FULL, alert("HighCPUUsage", "warning", "host", instance="b:1")),
    (FULL, alert("HighCPUUsage", "warning", "monitoring")),
    (FULL, alert("Fuller", "critical", "host")),
    (alert("Full", "critical", "host", instance=""), alert("Busy", "warning", "host", instance="")),
]


@pytest.fixture(scope="module")
def url(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[str]:
    values = {
        **SECRETS,
        "mailUsername": "live",
        "images": json.dumps(images),
        "ports": json.dumps({"alertmanager": free_port()}),
    }
    settings = loader.parse(STACK, values, list(SECRETS))
    # No notification is needed: the API shows whether an alert is inhibited.
    unset = loader.parse(STACK, values | {"slackWebhookUrl": ""}, list(SECRETS))
    with running(docker_client, settings, routing.render_config(unset)) as found:
        yield found


@pytest.fixture
def state(url: str) -> Iterator[Any]:
    """Fire the alerts and return the state of the last: "active" or "suppressed"."""
    fired: list[Labels] = []

    def ask(*alerts: Labels) -> str:
        sent = [*alerts, *LAST]
        fired.extend(sent)
        post(url, [{"labels": labels} for labels in sent])
        # Alertmanager reads the causes in the order of their arrival, a moment after it has them.
        assert eventually(lambda: status(url, LAST[-1]) == "suppressed", 10, pause=0.1)
        return status(url, alerts[-1])

    yield ask
    over = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    post(url, [{"labels": labels, "startsAt": over, "endsAt": over} for labels in fired])
    assert eventually(lambda: not firing(url), 5, pause=0.1)


def post(url: str, alerts: list[dict[str, Any]]) -> None:
    answer = requests.post(f"{url}/api/v2/alerts", json=alerts, timeout=TIMEOUT_SECONDS)
    assert answer.ok, answer.text


def status(url: str, labels: Labels) -> str:
    there = {name: value for name, value in labels.items() if value}
    found = next((entry for entry in firing(url) if entry["labels"] == there), None)
    return str(found["status"]["state"]) if found else "not there"


def firing(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(
        f"{url}/api/v2/alerts", timeout=TIMEOUT_SECONDS
    ).json()
    return found


def names(pair: tuple[Labels, Labels]) -> str:
    return " ".join(f"{a['alertname']}-{a['instance']}-{a['stack']}" for a in pair)


@pytest.mark.parametrize("pair", HELD_BACK, ids=names)
def test_alert_with_its_cause_firing_is_suppressed(pair: tuple[Labels, Labels], state: Any) -> None:
    assert state(*pair) == "suppressed"


@pytest.mark.parametrize("pair", HELD_BACK, ids=names)
def test_alert_without_its_cause_is_active(pair: tuple[Labels, Labels], state: Any) -> None:
    assert state(pair[1]) in ("active", "unprocessed")


@pytest.mark.parametrize("pair", TOLD, ids=names)
def test_unrelated_alert_is_active(pair: tuple[Labels, Labels], state: Any) -> None:
    assert state(*pair) in ("active", "unprocessed")
