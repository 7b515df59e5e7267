"""Notifications during and after an outage of Slack.

LIVE_OUTAGE_SECONDS=600 runs the ten-minute outage with the default settings. Without it the outage
is shorter, Alertmanager's group interval is reduced, and the alert on failed deliveries looks back
less far.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import yaml

from components.docker.config_files_provider import ConfigFilesProvider
from tests.certificates import authority
from tests.figures import ReportFigure
from tests.live.delivery import (
    BACKEND,
    CRITICAL,
    DATABASE,
    MAIL,
    WARNINGS,
    Pace,
    Subject,
    is_resolved,
    messages_of,
    subject,
)
from tests.live.delivery_cases import FAST
from tests.live.delivery_runs import EXPORTERS, gather_less
from tests.live.sinks import Message, Refusal
from tests.live.stack import eventually, not_of_this_machine, say

OUTAGE_SECONDS = float(os.environ.get("LIVE_OUTAGE_SECONDS", "60"))
SHORT = OUTAGE_SECONDS < 600
# Time from loading the rules to the outage: the longest group_wait, plus slack for a busy machine.
LEAD_SECONDS = 60
# After a reload Prometheus has to find Alertmanager again; it sends alerts that fire before that
# a minute later.
FOUND_SECONDS = 10
GROUP_SECONDS = {CRITICAL: 60, WARNINGS: 300, DATABASE: 60, BACKEND: 60}
# Alertmanager retries after its maximum back-off or at the group's next flush, whichever is first.
MAX_PAUSE_SECONDS = 90
BOUND_SECONDS = 15
FAILING = "AlertmanagerNotificationsFailing"
LOOKS_BACK = {"[15m]": "[1m]"} if SHORT else {}
LOOKS_BACK_SECONDS = 60 if SHORT else 900
# Alerts on services that are left out. Those of the backend would inhibit the ones of this test.
BACKEND_ALERTS = ("BackendDown", "BackendUnavailable")
OTHERS = (*BACKEND_ALERTS, "NodeExporterDown", "PostgreSQLDown", "RedisDown", "GrafanaDown")

REFUSALS = {
    CRITICAL: Refusal(500),
    WARNINGS: Refusal(429, {"Retry-After": "30"}),
    DATABASE: Refusal(429),
    BACKEND: Refusal(503),
}
# Labels that route an alert to that channel and to no other.
LABELS = {
    CRITICAL: {"severity": "critical", "service": "monitoring"},
    WARNINGS: {"severity": "warning", "service": "monitoring"},
    DATABASE: {"severity": "none", "service": "database"},
    BACKEND: {"severity": "none", "service": "backend"},
}
each_channel = pytest.mark.parametrize("channel", REFUSALS)


def name(what: str, channel: str) -> str:
    return what + channel.removeprefix("#vitalstream-").capitalize()


@dataclass(frozen=True)
class SlackOutage:
    """Messages sent and refused around the outage; `began` and `ended` are its Unix times."""

    began: float
    ended: float
    messages: list[Message]
    refused: list[Message]

    def sent(self, alert: str, to: str) -> list[Message]:
        return [found for found in messages_of(alert, self.messages) if found.to == to]

    def meanwhile(self, message: Message) -> bool:
        return self.began < message.at < self.ended


@pytest.fixture(scope="module")
def away(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[SlackOutage]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    alerts: dict[str, Any] = {alert: {"enabled": False} for alert in OTHERS}
    if SHORT:
        alerts[FAILING] = {"for": "10s"}
    pace = Pace(FAST.scrape, FAST.evaluation, FAST.group if SHORT else max(GROUP_SECONDS.values()))
    with subject(
        "live-slack-away",
        docker_client,
        images,
        pace,
        frozenset({"grafana", *EXPORTERS}),
        authority(),
        alerts=alerts,
    ) as found:
        if SHORT:
            gather_less(found)
        yield play(found)


def play(found: Subject) -> SlackOutage:
    began = time.time() + LEAD_SECONDS
    ended = began + OUTAGE_SECONDS
    third = OUTAGE_SECONDS / 3
    raise_alerts(
        found,
        {
            "Before": (began - LEAD_SECONDS + FOUND_SECONDS, began + third),
            "Within": (began + third / 2, began + 2 * third),
            "Lasting": (began + third / 2, ended + 86400),
        },
    )
    time.sleep(began - time.time())
    found.sink.refusals = REFUSALS
    time.sleep(ended - time.time())
    found.sink.refusals = {}
    due = ended + found.pace.group + BOUND_SECONDS
    found.sink.wait_until(all_sent, due - time.time())

    def failing_is_over() -> bool:
        sent = messages_of(FAILING, found.sink.messages)
        over = {message.to for message in sent if is_resolved(message) and message.at > ended}
        return {MAIL, CRITICAL} <= over

    eventually(failing_is_over, LOOKS_BACK_SECONDS + 2 * found.pace.group + BOUND_SECONDS, 1)
    # A duplicate would be sent at the group's next flush.
    time.sleep(found.pace.group + BOUND_SECONDS)
    for message in found.sink.messages:
        say(f"{message.at - began:8.1f} {message.to} {message.title}")
    return SlackOutage(began, ended, found.sink.messages, list(found.sink.refused))


def all_sent(messages: list[Message]) -> bool:
    lasting = {name("Lasting", channel) for channel in REFUSALS}
    before = {name("Before", channel) for channel in REFUSALS}
    sent = {alert for alert in lasting if messages_of(alert, messages)}
    over = {alert for alert in before if any(map(is_resolved, messages_of(alert, messages)))}
    return sent == lasting and over == before


def raise_alerts(found: Subject, times: dict[str, tuple[float, float]]) -> None:
    """Make Prometheus raise each alert for each channel between two Unix times."""
    rules = [
        {
            "alert": name(what, channel),
            "expr": f"vector(time()) >= {begin:.0f} < {end:.0f}",
            "labels": labels,
            "annotations": {"summary": "by the test", "description": "by the test"},
        }
        for what, (begin, end) in times.items()
        for channel, labels in LABELS.items()
    ]
    olds = found.stack.config_files("prometheus")
    files = dict(olds["files"])
    for long, short in LOOKS_BACK.items():
        files["rules/monitoring.yml"] = files["rules/monitoring.yml"].replace(long, short)
    files["rules/away.yml"] = yaml.safe_dump({"groups": [{"name": "away", "rules": rules}]})
    ConfigFilesProvider().update("", olds, {**olds, "files": files})


@each_channel
def test_slack_refusal_is_retried(channel: str, away: SlackOutage) -> None:
    assert len([message for message in away.refused if message.to == channel]) > 1


@each_channel
def test_slack_return_sends_firing_alert_once(
    channel: str, away: SlackOutage, report_figure: ReportFigure
) -> None:
    sent = away.sent(name("Lasting", channel), channel)
    assert [is_resolved(message) for message in sent] == [False]
    after = sent[0].at - away.ended
    refusal = REFUSALS[channel]
    pause = FAST.group if SHORT else GROUP_SECONDS[channel]
    if refusal.status >= 500:
        pause = min(pause, MAX_PAUSE_SECONDS)
    tries = len([one for one in away.refused if one.to == channel])
    report_figure(
        f"Slack away for {OUTAGE_SECONDS:.0f} s with {refusal.status}: {channel} is notified "
        f"{after:.0f} s after its return, after {tries} refused messages"
    )
    assert 0 <= after < pause + BOUND_SECONDS


@each_channel
def test_slack_return_sends_resolution_of_earlier_alert(channel: str, away: SlackOutage) -> None:
    fired, over = away.sent(name("Before", channel), channel)
    assert not is_resolved(fired)
    assert fired.at < away.began
    assert is_resolved(over)
    assert over.at > away.ended


@each_channel
def test_slack_return_omits_alert_that_ended_during_outage(channel: str, away: SlackOutage) -> None:
    """Alertmanager sends no resolution of an alert whose firing it never delivered."""
    assert away.sent(name("Within", channel), channel) == []


def test_slack_outage_sends_critical_alert_by_mail(away: SlackOutage) -> None:
    fired, over = away.sent(name("Within", CRITICAL), MAIL)
    assert away.meanwhile(fired)
    assert is_resolved(over)
    assert away.meanwhile(over)


def test_slack_outage_sends_no_message_twice(away: SlackOutage) -> None:
    raised = [name(what, channel) for what in ("Before", "Within", "Lasting") for channel in LABELS]
    sent = Counter(
        (message.to, message.title)
        for alert in raised
        for message in messages_of(alert, away.messages)
    )
    assert set(sent.values()) == {1}


def test_slack_outage_is_reported_by_mail(away: SlackOutage, report_figure: ReportFigure) -> None:
    first = away.sent(FAILING, MAIL)[0]
    assert not is_resolved(first)
    assert away.meanwhile(first)
    report_figure(f"{FAILING} by mail {first.at - away.began:.0f} s after Slack went away")


def test_slack_return_sends_outage_alert_and_resolution(
    away: SlackOutage, report_figure: ReportFigure
) -> None:
    fired, over = away.sent(FAILING, CRITICAL)
    assert not is_resolved(fired)
    assert fired.at > away.ended
    assert is_resolved(over)
    report_figure(f"{FAILING} is over {over.at - away.ended:.0f} s after Slack's return")
