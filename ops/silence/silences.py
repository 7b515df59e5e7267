"""Silences of a running stack's Alertmanager, and what to print about them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from components.settings.settings import Settings
from ops import connections
from ops.drill.alertmanager import Alertmanager
from ops.review.diff.routes import Matcher
from ops.silence.window import SilenceError, Window, as_text

SHOWN_ALERTS = 20


def client(settings: Settings, url: str) -> Alertmanager:
    return Alertmanager(url or settings.local_url("alertmanager"), connections.session(settings))


def begin(settings: Settings, alertmanager: Alertmanager, asked: Window) -> Iterator[str]:
    """Make the silence and yield what to print. Raises DrillError without a valid answer."""
    filters = [as_text(matcher) for matcher in asked.matchers]
    firing = alertmanager.get(
        "/api/v2/alerts", params={"filter": filters, "silenced": "false", "inhibited": "false"}
    ).json()
    now = datetime.now(UTC)
    posted = asked.posted(now)
    made = alertmanager.ask("POST", "/api/v2/silences", json=posted).json()["silenceID"]
    until = _when(settings, posted["endsAt"])
    yield f"Silence {made} of stack {settings.stack} until {until}: {', '.join(filters)}"
    if asked.keeps_heartbeat:
        yield "The heartbeat goes on."
    if not asked.covered:
        yield (
            "No alert of this stack's rules has these labels: check them against "
            f"{alertmanager.url}/#/alerts"
        )
    yield from _muted(settings, firing)
    yield f"End it: python -m ops silence end {made} --stack {settings.stack}"


def listed(settings: Settings, alertmanager: Alertmanager) -> Iterator[str]:
    """Yield the silences that are active or pending, with how many alerts each mutes."""
    open_ = _open(alertmanager)
    alerts = alertmanager.get("/api/v2/alerts").json()
    if not open_:
        yield f"Nothing is silenced on stack {settings.stack}."
    for found in open_:
        muted = sum(found["id"] in alert["status"]["silencedBy"] for alert in alerts)
        pending = found["status"]["state"] == "pending"
        starts = f"from {_when(settings, found['startsAt'])} " if pending else ""
        yield (
            f"{found['id']} {starts}until {_when(settings, found['endsAt'])} by "
            f"{found['createdBy']}: {found['comment']}"
        )
        yield f"    {', '.join(map(as_text, _matchers(found)))}; mutes {_count(muted)} now"


def ended(settings: Settings, alertmanager: Alertmanager, silence: str) -> Iterator[str]:
    """End a silence and yield what to print. Raises SilenceError where it is not open."""
    open_ = [found["id"] for found in _open(alertmanager)]
    if silence not in open_:
        raise SilenceError(
            f"There is no silence {silence} that is open; there are: {', '.join(open_) or 'none'}. "
            f"fix: python -m ops silence list --stack {settings.stack}"
        )
    alerts = alertmanager.get("/api/v2/alerts").json()
    alertmanager.ask("DELETE", f"/api/v2/silence/{silence}")
    again = [alert for alert in alerts if alert["status"]["silencedBy"] == [silence]]
    yield f"Silence {silence} of stack {settings.stack} is over."
    if again:
        yield f"Messages go out again on {_count(len(again))}:"
        yield from _lines(settings, again)


def _open(alertmanager: Alertmanager) -> list[dict[str, Any]]:
    found = alertmanager.get("/api/v2/silences").json()
    open_ = [one for one in found if one["status"]["state"] != "expired"]
    return sorted(open_, key=lambda one: str(one["endsAt"]))


def _muted(settings: Settings, firing: Sequence[dict[str, Any]]) -> Iterator[str]:
    critical = sum(alert["labels"].get("severity") == "critical" for alert in firing)
    if not firing:
        yield "No alert that fires now is muted by it."
        return
    yield f"It mutes {_count(len(firing))} firing now, {critical or 'none'} of them critical:"
    yield from _lines(settings, firing)


def _lines(settings: Settings, alerts: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each alert, critical ones first."""
    ordered = sorted(
        alerts,
        key=lambda found: (found["labels"].get("severity") != "critical", found["startsAt"]),
    )
    for alert in ordered[:SHOWN_ALERTS]:
        labels = alert["labels"]
        words = (labels.get(name, "") for name in ("severity", "alertname", "instance"))
        yield f"    {' '.join(filter(None, words))} since {_when(settings, alert['startsAt'])}"
    if len(ordered) > SHOWN_ALERTS:
        yield f"    and {len(ordered) - SHOWN_ALERTS} more"


def _matchers(silence: dict[str, Any]) -> list[Matcher]:
    signs = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
    return [
        Matcher(found["name"], signs[found.get("isEqual", True), found["isRegex"]], found["value"])
        for found in silence["matchers"]
    ]


def _when(settings: Settings, iso: str) -> str:
    zone = zoneinfo.ZoneInfo(settings.timezone)
    return f"{datetime.fromisoformat(iso).astimezone(zone):%Y-%m-%d %H:%M} {settings.timezone}"


def _count(number: int) -> str:
    return "1 alert" if number == 1 else f"{number} alerts"
