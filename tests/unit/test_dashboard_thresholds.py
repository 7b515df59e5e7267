import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.dashboards import DashboardSettings, render_all
from components.dashboards.thresholds import GREY, AlertThresholds, Threshold, steps
from components.rules.overrides import AlertOverride, apply
from components.rules.rule_set import RuleSet
from tests import yaml_text
from tests.each import for_each

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = DashboardSettings(stack="dev", retention_seconds=7 * 86400, scrape_interval="15s")
DASHBOARDS: dict[str, dict[str, Any]] = {
    stem: json.loads(text) for stem, text in render_all(SETTINGS).items()
}
every_panel = for_each(
    "stem, panel",
    [(stem, panel) for stem, board in DASHBOARDS.items() for panel in board["panels"]],
    lambda case: f"{case[0]}: {case[1]['title']}",
)

# Which alerts a panel's colours have to agree with.
ALERTS_SHOWN = {
    ("overview", "Response Time p95 by endpoint"): ["HighResponseTime"],
    ("overview", "Error Rate (5xx %)"): ["HighErrorRate"],
    ("overview", "CPU Usage"): ["HighCPUUsage"],
    ("overview", "Memory Usage"): ["HighMemoryUsage"],
    ("overview", "Database Connections"): ["PostgreSQLTooManyConnections"],
    ("api", "Error Rate (5xx %)"): ["HighErrorRate"],
    ("api", "Response Time p95"): ["HighResponseTime"],
    ("api", "Errors by endpoint"): ["HighErrorRate"],
    ("api", "Response Time p95 by endpoint"): ["HighResponseTime"],
    ("api", "Failed Logins (last 5 minutes)"): ["HighFailedLogins"],
    ("api", "Availability Budget Burn"): [
        "AvailabilityBudgetBurnSlow",
        "AvailabilityBudgetBurnFast",
    ],
    ("api", "Latency Budget Burn"): [
        "LatencyBudgetBurnSlow",
        "LatencyBudgetBurnFast",
    ],
    ("postgresql", "Connections"): ["PostgreSQLTooManyConnections"],
    ("postgresql", "Connections by state"): ["PostgreSQLTooManyConnections"],
    ("postgresql", "Oldest Transaction"): ["PostgreSQLSlowQueries"],
    ("postgresql", "Age of the oldest transaction"): ["PostgreSQLSlowQueries"],
    ("postgresql", "Replication Lag"): ["PostgreSQLReplicationLag"],
    ("postgresql", "Replication lag over time"): ["PostgreSQLReplicationLag"],
    ("postgresql", "Cache Hit Ratio"): ["PostgreSQLLowCacheHitRatio"],
    ("redis", "Memory Used of Limit"): ["RedisHighMemoryUsage"],
    ("redis", "Hit Ratio"): ["RedisLowHitRatio"],
    ("redis", "Rejected Connections"): ["RedisRejectedConnections"],
    ("host", "CPU Usage"): ["HighCPUUsage"],
    ("host", "CPU Usage by host"): ["HighCPUUsage"],
    ("host", "Memory Usage"): ["HighMemoryUsage"],
    ("host", "Memory Usage by host"): ["HighMemoryUsage"],
    ("host", "Least Disk Space"): ["DiskSpaceLow"],
    ("host", "Disk Space Available"): ["DiskSpaceLow"],
    ("monitoring", "Scrape Duration"): ["ScrapesTooSlow"],
    ("monitoring", "Storage of Limit"): ["PrometheusStorageNearLimit"],
    ("monitoring", "Rule Failures"): ["PrometheusRuleFailures"],
    ("monitoring", "Notifications"): ["AlertmanagerNotificationsFailing"],
}
# Panels whose colours say something that no alert compares with a number, and what.
OWN_COLOURS = {
    ("overview", "Firing Alerts"): "the severity of the alert",
    ("overview", "Active Patients"): "none at all",
    ("overview", "System Uptime"): "started a moment ago",
    ("api", "Backends Up"): "up or down",
    ("ecg", "Active Patients"): "none at all",
    ("postgresql", "PostgreSQL Up"): "up or down",
    ("redis", "Redis Up"): "up or down",
    ("monitoring", "Targets Down"): "any at all",
    ("monitoring", "Alertmanager"): "up or down",
    ("monitoring", "Watchdog"): "firing or silent",
    ("monitoring", "Configuration"): "accepted or refused",
}


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "rules").glob("*.yml")):
        for group in yaml_text.load(path.read_text())["groups"]:
            yield from group["rules"]


@functools.cache
def alert_numbers() -> dict[str, float]:
    ends = {rule["alert"]: rule["expr"].split()[-1] for rule in rules() if "alert" in rule}
    return {name: float(end) for name, end in ends.items()}


def panel_of(stem: str, title: str) -> dict[str, Any]:
    return next(p for p in DASHBOARDS[stem]["panels"] if p["title"] == title)


def step_numbers(thresholds: dict[str, Any] | None) -> list[float]:
    """Without the step to 0, below which a stat is red: there is no such figure, or no answer."""
    found = (thresholds or {}).get("steps", [])
    if [step["color"] for step in found[:1]] == ["red"] and found[1]["value"] == 0:
        found = found[2:]
    return [step["value"] for step in found if step["value"] is not None]


def column_numbers(panel: dict[str, Any], column: str) -> list[float]:
    override = next(
        o for o in panel["fieldConfig"]["overrides"] if o["matcher"]["options"] == column
    )
    return step_numbers(next(p["value"] for p in override["properties"] if p["id"] == "thresholds"))


@every_panel
def test_a_threshold_is_the_alerts_own(stem: str, panel: dict[str, Any]) -> None:
    key = (stem, panel["title"])
    if key in OWN_COLOURS:
        assert key not in ALERTS_SHOWN
        return
    numbers = alert_numbers()
    expected = [numbers[alert] for alert in ALERTS_SHOWN.get(key, [])]
    assert step_numbers(panel["fieldConfig"]["defaults"].get("thresholds")) == expected


@pytest.mark.parametrize(
    ("stem", "title", "column", "alert"),
    [
        ("overview", "API Endpoint Performance", "p95", "HighResponseTime"),
        ("overview", "API Endpoint Performance", "Errors", "HighErrorRate"),
        ("host", "Disks and days until full", "Available %", "DiskSpaceLow"),
        ("postgresql", "Rows by table", "Dead %", "PostgreSQLDeadTuples"),
    ],
)
def test_the_threshold_of_a_column_is_the_alerts_own(
    stem: str, title: str, column: str, alert: str
) -> None:
    assert column_numbers(panel_of(stem, title), column) == [alert_numbers()[alert]]


@pytest.mark.parametrize(
    ("stem", "title", "alert"),
    [
        ("overview", "Redis Memory", "RedisHighMemoryUsage"),
        ("redis", "Memory against Limit", "RedisHighMemoryUsage"),
        ("monitoring", "Retention Used", "PrometheusStorageNearLimit"),
    ],
)
def test_the_alert_line_of_bytes_is_the_alerts_share(stem: str, title: str, alert: str) -> None:
    expr = panel_of(stem, title)["targets"][2]["expr"]
    assert expr.endswith(f" * {alert_numbers()[alert]:g} / 100")


def test_a_stacks_own_threshold_moves_its_panels() -> None:
    override = AlertOverride(threshold=65.5)
    assert _cpu_steps(override) == [(None, "green"), (65.5, "orange")]


def test_a_stacks_own_severity_colours_its_panels() -> None:
    assert _cpu_steps(AlertOverride(severity="critical"))[1][1] == "red"


def test_a_disabled_alert_is_grey_in_its_panels() -> None:
    assert _cpu_steps(AlertOverride(enabled=False))[1][1] == GREY


def _cpu_steps(override: AlertOverride) -> list[tuple[float | None, str]]:
    rules = apply(RuleSet.shipped(), {"HighCPUUsage": override})
    board = json.loads(render_all(SETTINGS, rules)["overview"])
    cpu = next(p for p in board["panels"] if p["title"] == "CPU Usage")
    steps = cpu["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


@pytest.mark.parametrize("name", ["HighCpuUsage", "BackendDown"])
def test_a_panel_about_an_alert_without_threshold_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        AlertThresholds(RuleSet.shipped().alerts)[name]


def test_colours_of_an_alert_that_fires_below_turn_green_above() -> None:
    bound = Threshold(15, fires_below=True, colour="orange")
    assert [(s.value, s.color) for s in steps(bound).build().steps] == [
        (None, "orange"),
        (15, "green"),
    ]


def test_colours_of_two_alerts_rise_with_their_numbers() -> None:
    warning, critical = Threshold(1, False, "orange"), Threshold(3, False, "red")
    assert [(s.value, s.color) for s in steps(critical, warning).build().steps] == [
        (None, "green"),
        (1, "orange"),
        (3, "red"),
    ]


def test_every_panel_said_to_show_an_alert_is_there() -> None:
    there = {(stem, p["title"]) for stem, board in DASHBOARDS.items() for p in board["panels"]}
    assert {*ALERTS_SHOWN, *OWN_COLOURS} - there == set()
