"""The alerts of a drill: whom they reach, and that they hold back nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.alertmanager import routing
from components.alertmanager.destinations import GROUP_BY, Destination
from components.catalog.monitored import ALL_MONITORED
from components.settings.settings import Settings
from ops.drill.plan import DrillAlert, plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALERTS = plan("prod", NOW)
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.receiver)


@every_alert
def test_it_reaches_its_receiver_and_no_other(
    alert: DrillAlert,
    amtool: Callable[..., str],
    tmp_path: Path,
    settings: Callable[..., Settings],
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(routing.render_config(settings(slackWebhookUrl="https://hooks.example/a")))
    pairs = [f'{name}="{value}"' for name, value in alert.labels.items()]
    found = amtool("config", "routes", "test", f"--config.file={path}", *pairs)
    assert found.splitlines()[-1] == alert.receiver


@every_alert
def test_it_is_of_no_real_stack(alert: DrillAlert) -> None:
    # Pulumi's names of stacks have no space; every inhibition compares this label.
    assert alert.labels["stack"] == "prod (drill 03:04:05)"


@every_alert
def test_it_is_the_source_of_no_inhibition(alert: DrillAlert) -> None:
    for rule in routing.inhibitions(ALL_MONITORED):
        assert not all(_matches(matcher, alert.labels) for matcher in rule.source)


@every_alert
def test_it_says_that_nothing_is_wrong(alert: DrillAlert) -> None:
    assert alert.annotations["summary"] == "This is a test: nothing is wrong with prod"


@every_alert
def test_it_says_for_whom_it_is(alert: DrillAlert) -> None:
    assert f"alerts for the receiver {alert.receiver} arrive" in alert.annotations["description"]


def test_two_drills_have_no_group_in_common() -> None:
    later = plan("prod", NOW.replace(second=6))
    group = GROUP_BY
    assert [
        alert.receiver
        for alert, other in zip(ALERTS, later, strict=True)
        if [alert.labels.get(name) for name in group] == [other.labels.get(name) for name in group]
    ] == []


def test_those_who_wait_longest_come_last() -> None:
    rows = [Destination("slow", 'severity="a"', wait="1m"), Destination("b", 'c=~"d|e"')]
    assert [alert.receiver for alert in plan("prod", NOW, rows)] == ["heartbeat", "b", "slow"]


def test_plan_has_an_alert_for_each_route_and_an_old_one_for_escalation() -> None:
    rows = [Destination("a", 'team="x"'), Destination("a", 'team="y"'), Destination("b", 'c="d"')]
    found = plan("prod", NOW, rows, ("head", "30m"))
    assert [alert.receiver for alert in found] == ["heartbeat", "a", "a", "b", "head"]
    late = found[-1].posted(NOW, NOW)
    assert (late["labels"]["severity"], late["startsAt"]) == (
        "critical",
        "2026-01-02T02:34:04+00:00",
    )


def test_plan_with_a_matcher_that_it_cannot_read_is_refused() -> None:
    with pytest.raises(ValueError, match="no matcher"):
        plan("prod", NOW, [Destination("some", "no matcher")])


def _matches(matcher: str, labels: dict[str, str]) -> bool:
    name, operator, value = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
    there = labels.get(name, "")
    return {
        "=": there == value,
        "!=": there != value,
        "=~": re.fullmatch(value, there) is not None,
    }[operator]
