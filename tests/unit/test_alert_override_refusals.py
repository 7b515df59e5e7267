"""A stack's own values for alerts: which are refused and which are accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from components.settings.settings import Settings
from tests.each import for_each

Make = Callable[..., Settings]
Refused = Callable[..., str]

# alerts, path of the fault, what the message must say.
WRONG = [
    (
        {"HighErorRate": {}},
        "HighErorRate",
        "is an unknown alert: rules/*.yml has none of that name; did you mean HighErrorRate?",
    ),
    ({"highCpuUsage": {}}, "highCpuUsage", "did you mean HighCPUUsage?"),
    ({"Zzz": {}}, "Zzz", "is an unknown alert"),
    ({"HighErrorRate": 3}, "HighErrorRate", "valid dictionary"),
    ({"HighErrorRate": {"treshold": 3}}, "HighErrorRate.treshold", "is an unknown setting"),
    ({"HighErrorRate": {"delay": "5m"}}, "HighErrorRate.delay", "is an unknown setting"),
    ({"HighErrorRate": {"threshold": "x"}}, "HighErrorRate.threshold", "valid number"),
    ({"HighErrorRate": {"threshold": True}}, "HighErrorRate.threshold", "is not a number"),
    ({"HighErrorRate": {"threshold": "nan"}}, "HighErrorRate.threshold", "finite number"),
    ({"HighErrorRate": {"for": "10"}}, "HighErrorRate.for", "is not a Prometheus duration"),
    ({"HighErrorRate": {"for": 10}}, "HighErrorRate.for", "valid string"),
    ({"HighErrorRate": {"severity": "page"}}, "HighErrorRate.severity", "'critical' or 'warning'"),
    ({"HighErrorRate": {"enabled": "no"}}, "HighErrorRate.enabled", "valid boolean"),
    ({"HighErrorRate": {"reason": 7}}, "HighErrorRate.reason", "valid string"),
    ({"BackendDown": {"threshold": 1}}, "BackendDown.threshold", "has no threshold to set"),
    ({"Watchdog": {"threshold": 1}}, "Watchdog.threshold", "has no threshold to set"),
    ({"Watchdog": {"severity": "critical"}}, "Watchdog.severity", "Watchdog always fires"),
    ({"HighErrorRate": {"threshold": 100}}, "HighErrorRate.threshold", "could never fire"),
    ({"HighErrorRate": {"threshold": -1}}, "HighErrorRate.threshold", "would always fire"),
    ({"DiskSpaceLow": {"threshold": 0}}, "DiskSpaceLow.threshold", "could never fire"),
    ({"DiskSpaceLow": {"threshold": 101}}, "DiskSpaceLow.threshold", "would always fire"),
    ({"HighResponseTime": {"threshold": -1}}, "HighResponseTime.threshold", "would always fire"),
    ({"HighErrorRate": {"minimumRate": 0}}, "HighErrorRate.minimumRate", "greater than 0"),
    ({"HighErrorRate": {"minimumRate": True}}, "HighErrorRate.minimumRate", "is not a number"),
    (
        {"BackendDown": {"minimumRate": 1}},
        "BackendDown.minimumRate",
        "is not about a share of requests; those that are: HighErrorRate, HighResponseTime, ",
    ),
    (
        {"LatencyBudgetBurnFast": {"minimumRate": 0.1}},
        "LatencyBudgetBurnFast.minimumRate",
        "changes nothing: LatencyBudgetBurnFast needs more than 0.2 a second anyway",
    ),
    (
        {"BackendDown": {"exclude": {"instance": ["a"]}}},
        "BackendDown.exclude",
        "those that have: PostgreSQLSlowQueries (usename, application_name, datname, instance); ",
    ),
    (
        {"DiskSpaceLow": {"exclude": {"usename": ["dump"]}}},
        "DiskSpaceLow.exclude.usename",
        "cannot be narrowed by; it has mountpoint, device, fstype, instance",
    ),
    *(
        (
            {"DiskSpaceLow": {"exclude": {"mountpoint": value}}},
            f"DiskSpaceLow.exclude.mountpoint{place}",
            words,
        )
        for value, place, words in (
            ([".*"], ".0", "matches every value"),
            (["/mnt", "|a"], ".1", "matches every value"),
            (["("], ".0", "is neither a value nor a regular expression"),
            ([], "", "at least 1 item"),
            ("/mnt", "", "valid tuple"),
        )
    ),
]


@for_each("alerts, path, words", WRONG)
def test_a_wrong_override_is_refused_by_its_path(
    alerts: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    lines = refused({"alerts": alerts}).splitlines()
    assert words in next(x for x in lines if x.startswith(f"  vitalstream:alerts.{path} "))


RIGHT = [
    {"HighErrorRate": {"threshold": "2.5"}},
    {"HighErrorRate": {"threshold": 0}},
    {"HighErrorRate": {"threshold": 99.9}},
    {"HighErrorRate": {"for": "0s"}},
    {"DiskSpaceLow": {"threshold": 100}},
    {"HighResponseTime": {"threshold": 250}},
    {"Watchdog": {"for": "1m"}},
    {"BackendDown": {"enabled": True}},
    {"HighErrorRate": {"minimumRate": "0.5"}},
    {"AvailabilityBudgetBurnSlow": {"minimumRate": 2}},
    {"PostgreSQLSlowQueries": {"exclude": {"usename": ["dump"], "datname": ["archive_.+"]}}},
]


@for_each("alerts", RIGHT, json.dumps)
def test_a_right_override_is_taken(alerts: dict[str, Any], settings: Make) -> None:
    assert set(settings(alerts=alerts).alerts) == set(alerts)


def test_two_wrong_overrides_are_both_reported(refused: Refused) -> None:
    message = refused({"alerts": {"BackendDown": {"threshold": 1}, "RedisDown": {"threshold": 1}}})
    assert (
        "alerts.BackendDown.threshold = 1" in message,
        "alerts.RedisDown.threshold = 1" in message,
    ) == (True, True)


@pytest.mark.parametrize(
    ("alerts", "command"),
    [
        ({"HighErorRate": {}}, "pulumi config rm --path 'alerts.HighErorRate'"),
        ({"BackendDown": {"threshold": 1}}, "config rm --path 'alerts.BackendDown.threshold'"),
        ({"BackendDown": {"enabled": False}}, "set --path 'alerts.BackendDown.reason' VALUE"),
    ],
    ids=json.dumps,
)
def test_fix_of_a_wrong_override_is_a_command(
    alerts: dict[str, Any], command: str, refused: Refused
) -> None:
    assert f"{command} --stack prod" in refused({"alerts": alerts}, stack="prod")


@pytest.mark.parametrize("reason", [None, "", "  "])
@pytest.mark.parametrize("alert", ["BackendDown", "Watchdog", "AvailabilityBudgetBurnFast"])
def test_prod_loses_no_alert_that_pages_without_a_reason(
    alert: str, reason: str | None, refused: Refused
) -> None:
    override = {"enabled": False} | ({} if reason is None else {"reason": reason})
    message = refused({"alerts": {alert: override}}, stack="prod")
    assert f"is missing: {alert} is" in message


def test_a_lower_severity_is_no_way_around_the_reason(refused: Refused) -> None:
    override = {"enabled": False, "severity": "warning"}
    message = refused({"alerts": {"BackendDown": override}}, stack="prod")
    assert "alerts.BackendDown.reason" in message


PAGES = ("BackendDown", "PostgreSQLDown", "RedisDown")
WAITING = (*PAGES, "BackendInstanceDown", "BackendUnavailable")


def test_an_interval_at_which_one_lost_scrape_pages_is_refused_with_both_ways_out(
    refused: Refused,
) -> None:
    message = refused({"scrapeInterval": "1m"})
    line = next(x for x in message.splitlines() if "scrapeInterval" in x)
    assert "1 setting is wrong" in message
    assert [name for name in WAITING if name not in line.partition(":")[2]] == []
    assert "AlertmanagerDown" not in line
    assert "fix: pulumi config set scrapeInterval 30s --stack test, or for each of them" in line
    assert "pulumi config set --path 'alerts.BackendDown.for' 120s --stack test" in line


@pytest.mark.parametrize(
    "values",
    [
        {"scrapeInterval": "30s"},
        {"scrapeInterval": "1m", "alerts": {name: {"for": "2m"} for name in WAITING}},
        {"scrapeInterval": "1m", "alerts": {name: {"enabled": False} for name in WAITING}},
        {"scrapeInterval": "1m", "watch": ["host"], "postgresPassword": ""},
        {"scrapeInterval": "15s", "alerts": {"BackendDown": {"for": "0s"}}},
    ],
    ids=["two fit", "longer waits", "disabled", "not monitored", "a wait of one's own"],
)
def test_an_interval_that_pages_for_no_single_lost_scrape_is_taken(
    values: dict[str, Any], settings: Make
) -> None:
    assert settings(**values).scrape_interval == values["scrapeInterval"]


def test_alerts_that_a_lost_scrape_can_fire_are_known(refused: Refused) -> None:
    message = refused({"scrapeInterval": "2m"})
    assert re.findall(r"\b\w+Down\b|\bBackendUnavailable\b", message.partition(": each")[0]) == [
        *("BackendDown", "BackendInstanceDown", "BackendUnavailable"),
        *("AlertmanagerDown", "PostgreSQLDown", "RedisDown"),
    ]
