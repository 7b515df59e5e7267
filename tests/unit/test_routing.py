"""Which receivers each alert is sent to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.alertmanager import routing
from components.alertmanager.destinations import DESTINATIONS, Destination
from components.catalog.integrations import INTEGRATIONS
from components.catalog.monitored import ALL_MONITORED
from components.common.quantities import duration_seconds
from tests import yaml_text
from tests.each import for_each
from tests.unit import alertmanager_config
from tests.unit.alertmanager_config import REACHABLE, SettingsOf

config = alertmanager_config.config

ROOT = Path(__file__).resolve().parents[2]
# What a stack that names no further kind of service routes.
SERVICES = {"monitoring", *(found.service for found in INTEGRATIONS if found.default)}
ALERTS = [
    (rule["alert"], rule["labels"]["severity"], rule["labels"]["service"])
    for path in sorted((ROOT / "rules").glob("*.yml"))
    for group in yaml_text.load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule and rule["labels"]["service"] in SERVICES
]


@pytest.fixture
def routed(amtool: Callable[..., str], tmp_path: Path, settings: SettingsOf) -> Any:
    """The receivers of an alert, as Alertmanager's own tool finds them."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(routing.render_config(settings(**REACHABLE)))

    def receivers(**labels: str) -> set[str]:
        pairs = [f"{name}={value}" for name, value in labels.items()]
        output = amtool("config", "routes", "test", f"--config.file={path}", *pairs)
        return set(output.strip().split(","))

    return receivers


ROUTED = [
    ("critical", "backend", {"critical", "backend"}),
    ("critical", "database", {"critical", "database"}),
    ("critical", "cache", {"critical", "database"}),
    ("critical", "host", {"critical"}),
    ("critical", "monitoring", {"critical"}),
    ("warning", "backend", {"warnings", "backend"}),
    ("warning", "database", {"warnings", "database"}),
    ("warning", "cache", {"warnings", "database"}),
    ("warning", "host", {"warnings"}),
    ("warning", "monitoring", {"warnings"}),
    ("info", "host", {"critical"}),
    ("info", "database", {"database"}),
]


@pytest.mark.parametrize(("severity", "service", "receivers"), ROUTED)
def test_an_alert_goes_to_exactly_those_who_shall_hear_of_it(
    severity: str, service: str, receivers: set[str], routed: Any
) -> None:
    assert routed(alertname="Any", severity=severity, service=service) == receivers


@for_each("severity", ["critical", "warning"])
@for_each("alert, service", [(a, service) for a, _, service in ALERTS if a != "Watchdog"])
def test_each_alert_of_each_severity_goes_where_its_labels_say(
    alert: str, service: str, severity: str, routed: Any
) -> None:
    expected = next(found for *labels, found in ROUTED if labels == [severity, service])
    assert routed(alertname=alert, severity=severity, service=service, stack="prod") == expected


@for_each("destination", DESTINATIONS, lambda found: found.receiver)
def test_no_route_is_one_that_no_alert_can_reach(destination: Destination) -> None:
    assert any(
        _matches(destination.matcher, alertname=alert, severity=severity, service=service)
        for alert, severity, service in ALERTS
    )


@for_each("rule", routing.inhibitions(()))
@for_each("side", ["source", "target"])
def test_no_inhibition_is_of_alerts_that_are_not_there(side: str, rule: routing.Inhibition) -> None:
    assert any(
        all(
            _matches(matcher, alertname=alert, severity=severity, service=service, instance="a:1")
            for matcher in getattr(rule, side)
        )
        for alert, severity, service in ALERTS
    )


def _matches(matcher: str, **labels: str) -> bool:
    found = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher)
    assert found, matcher
    name, operator, value = found.groups()
    if operator == "=~":
        return re.fullmatch(value, labels[name]) is not None
    return (labels[name] == value) is (operator == "=")


def test_an_alert_with_no_known_label_goes_where_critical_ones_go(routed: Any) -> None:
    assert routed(alertname="Any") == {"critical"}


def test_the_heartbeat_goes_to_its_machine_alone(routed: Any) -> None:
    assert routed(alertname="Watchdog", severity="none", service="monitoring") == {"heartbeat"}


def test_every_alert_of_the_rules_is_in_the_table_above() -> None:
    known = {(severity, service) for severity, service, _ in ROUTED}
    missing = [alert for alert, *labels in ALERTS if tuple(labels) not in known]
    assert missing == ["Watchdog"]


def test_critical_alerts_are_sent_soonest_and_repeated_most_often(config: dict[str, Any]) -> None:
    routes = {route["receiver"]: route for route in config["route"]["routes"]}
    critical, warnings = routes["critical"], routes["warnings"]
    assert (critical["group_wait"], critical["repeat_interval"]) == ("5s", "1h")
    assert (warnings["group_wait"], warnings["repeat_interval"]) == ("30s", "12h")


def test_alerts_of_two_stacks_are_never_one_message(config: dict[str, Any]) -> None:
    assert "stack" in config["route"]["group_by"]


def test_an_inhibition_stays_within_a_stack(config: dict[str, Any]) -> None:
    assert all("stack" in rule["equal"] for rule in config["inhibit_rules"])


def test_an_alert_that_says_down_never_holds_itself_back(config: dict[str, Any]) -> None:
    for rule in config["inhibit_rules"]:
        matcher = rule["source_matchers"][0]
        if matcher.startswith("alertname="):
            assert matcher.replace("=", "!=", 1) in rule["target_matchers"]


def test_alerts_that_name_no_instance_are_not_taken_for_the_same_one(
    config: dict[str, Any],
) -> None:
    for rule in config["inhibit_rules"]:
        if "instance" in rule["equal"]:
            assert 'instance=~".+"' in rule["source_matchers"]
            assert 'instance=~".+"' in rule["target_matchers"]


def test_an_inhibition_has_a_critical_source_but_for_one_of_several_backends(
    config: dict[str, Any],
) -> None:
    severities = {alert: severity for alert, severity, _ in ALERTS}
    assert severities.pop("BackendInstanceDown") == "warning"
    severities["BackendInstanceDown"] = "critical"
    for rule in config["inhibit_rules"]:
        matcher = rule["source_matchers"][0]
        name, value = re.fullmatch(r'(\w+)="(\w+)"', matcher).groups()  # type: ignore[union-attr]
        assert "critical" in (value if name == "severity" else severities[value])


def test_the_alert_of_one_of_several_backends_is_held_back_by_none_of_its_instance() -> None:
    """Each of the two would else hold back the other, and nobody would be notified."""
    labels = {
        "alertname": "BackendInstanceDown",
        "severity": "warning",
        "service": "backend",
        "instance": "a:1",
    }
    assert [
        rule
        for rule in routing.inhibitions(ALL_MONITORED)
        if "instance" in rule.equal and all(_matches(one, **labels) for one in rule.target)
    ] == []


def test_an_alert_of_one_service_holds_back_no_other_service(config: dict[str, Any]) -> None:
    services = {alert: service for alert, _, service in ALERTS}
    for rule in config["inhibit_rules"]:
        source = rule["source_matchers"][0]
        if source.startswith("alertname="):
            service = services[source.split('"')[1]]
            assert f'service="{service}"' in rule["target_matchers"]
        else:
            assert "service" in rule["equal"]


def test_the_heartbeat_is_repeated_a_minute_after_the_last_one(config: dict[str, Any]) -> None:
    beat = config["route"]["routes"][0]
    asked, due = (duration_seconds(beat[key]) for key in ("group_interval", "repeat_interval"))
    # What was sent some milliseconds after one asking is as much less than the interval old at the
    # next: "due" is what is younger than the age by more than that.
    ages = (asked * count - 1 for count in itertools.count(1))
    assert round(next(age for age in ages if age > due)) + 1 == 60
