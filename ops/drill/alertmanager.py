"""Client of a live Alertmanager: configuration, state of an alert, counters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from components.common.quantities import duration_seconds
from ops.errors import OpsError

TIMEOUT_SECONDS = 10
_CONFIGS = "_configs"
# Alertmanager's defaults.
_DEFAULTS = {"group_wait": "30s", "group_interval": "5m"}
_SENDS_RESOLVED = {"email": False, "slack": False}


class DrillError(OpsError):
    """The drill cannot run; the message says why."""


@dataclass(frozen=True)
class Integration:
    """Integration of a receiver: `name` as in the counters, `to` for output."""

    name: str
    to: str
    sends_resolved: bool


@dataclass(frozen=True)
class Receiver:
    """Receiver of the live configuration, with its route's group_wait and group_interval in s."""

    name: str
    integrations: tuple[Integration, ...]
    wait: float
    interval: float


@dataclass(frozen=True)
class Counts:
    """Counters of one integration since the start of Alertmanager."""

    begun: int = 0
    given_up: int = 0
    requests: int = 0
    failed_requests: int = 0

    @property
    def under_way(self) -> int:
        """Notifications that have neither succeeded nor failed for good.

        For an integration without `send_resolved`, notifications of resolved alerts are counted
        as begun and never sent: there the figure only grows.
        """
        return self.begun - (self.requests - self.failed_requests) - self.given_up


_COUNTERS = {
    "alertmanager_notifications_total": "begun",
    "alertmanager_notifications_failed_total": "given_up",
    "alertmanager_notification_requests_total": "requests",
    "alertmanager_notification_requests_failed_total": "failed_requests",
}


@dataclass(frozen=True)
class AlertState:
    """State of an alert: its receivers, and why it is silenced, inhibited or muted."""

    receivers: frozenset[str]
    held_back: str = ""


class Alertmanager:
    """Client; every method raises DrillError without a valid answer."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url.rstrip("/")
        self._session = session

    def receivers(self) -> dict[str, Receiver]:
        """Return the receivers of the live configuration by name."""
        text = self.get("/api/v2/status").json()["config"]["original"]
        config: dict[str, Any] = yaml.safe_load(text)
        top = {**_DEFAULTS, **config["route"]}
        timing = {top["receiver"]: top} | {
            route["receiver"]: {**top, **route} for route in top.get("routes") or []
        }
        return {
            found["name"]: Receiver(
                found["name"],
                _integrations(found),
                *(
                    duration_seconds(timing.get(found["name"], top)[key])
                    for key in ("group_wait", "group_interval")
                ),
            )
            for found in config["receivers"]
        }

    def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        self.ask("POST", "/api/v2/alerts", json=list(alerts))

    def alert_state(self, matchers: list[str]) -> AlertState | None:
        """Return the state of the alert that matches, None if there is none."""
        found = self.get("/api/v2/alerts", params={"filter": matchers}).json()
        if not found:
            return None
        status = found[0]["status"]
        held_back = [
            *(f"silenced: {self._silence(id_)}" for id_ in status["silencedBy"]),
            *(["inhibited by another alert"] if status["inhibitedBy"] else []),
            *(["muted by a time interval"] if status.get("mutedBy") else []),
        ]
        receivers = frozenset(receiver["name"] for receiver in found[0]["receivers"])
        return AlertState(receivers, "; ".join(held_back))

    def counts(self, receiver: str | None, integration: str) -> Counts:
        """Return the counters of an integration, by receiver if Alertmanager counts so."""
        found: dict[str, float] = defaultdict(float)
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                counter, labels = _COUNTERS.get(sample.name), sample.labels
                if (
                    counter
                    and labels["integration"] == integration
                    and receiver in (None, labels.get("receiver_name", receiver))
                ):
                    found[counter] += sample.value
        return Counts(**{counter: int(value) for counter, value in found.items()})

    def _silence(self, id_: str) -> str:
        found = self.get(f"/api/v2/silence/{id_}").json()
        return f'"{found["comment"]}" by {found["createdBy"]}, until {found["endsAt"]}'

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.ask("GET", path, **arguments)

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            answer = self._session.request(
                method, self.url + path, timeout=TIMEOUT_SECONDS, **arguments
            )
        except requests.RequestException as error:
            raise DrillError(
                f"Alertmanager does not answer at {self.url} ({_reason(error)}). fix: bring "
                "the stack up, or give its address with --url"
            ) from None
        if not answer.ok:
            raise DrillError(
                f"{method} {self.url}{path} was answered with {answer.status_code}: "
                f"{answer.text.strip()[:200]}"
            )
        return answer


def _integrations(receiver: dict[str, Any]) -> tuple[Integration, ...]:
    return tuple(
        Integration(
            name := key.removesuffix(_CONFIGS),
            _shown(name, entry),
            entry.get("send_resolved", _SENDS_RESOLVED.get(name, True)),
        )
        for key, entries in receiver.items()
        if key.endswith(_CONFIGS)
        for entry in entries
    )


def _shown(integration: str, entry: dict[str, Any]) -> str:
    if integration == "slack":
        return f"Slack {entry.get('channel', '')}".strip()
    if integration == "email":
        return f"mail to {entry['to']}"
    return integration


def _reason(error: requests.RequestException) -> str:
    """Return the innermost message: requests wraps it several times."""
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    return str(inner) or type(error).__name__
