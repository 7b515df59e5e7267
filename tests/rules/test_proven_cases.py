"""Cases that the tests of the rules prove of each alert.

`<file>.test.yml` mirrors `rules/<file>.yml`. The `name` of a test group says what it proves:
`Alert, Alert: case, case`, or `records: ...` where it is about recorded series only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

from tests import yaml_text
from tests.each import for_each
from tests.rules.rule_files import ALERTS, TEST_FILES, TESTS

CASES = (
    "fault",
    "at_for_not_before",
    "healthy",
    "no_traffic",
    "exporter_dead",
    "series_absent",
    "counter_reset",
    "born_high",
    "label_change",
    "no_limit",
)
NEAR_SECONDS = 20
"""How far apart the last silent look and the first firing one may be."""


@dataclass(frozen=True)
class Look:
    """One `alert_rule_test`: at what second an alert is looked at, and how many are to fire."""

    alert: str
    second: int
    firing: int


@dataclass(frozen=True)
class Group:
    """One test group: which alerts it is about, which cases it proves, and how."""

    name: str
    alerts: tuple[str, ...]
    cases: tuple[str, ...]
    looks: tuple[Look, ...]

    def firing(self, alert: str) -> list[int]:
        return [look.second for look in self.looks if look.alert == alert and look.firing]

    def silent(self, alert: str) -> list[int]:
        return [look.second for look in self.looks if look.alert == alert and not look.firing]


def _seconds(duration: str) -> int:
    unit = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * unit[u] for number, u in re.findall(r"(\d+)([dhms])", duration))


def _groups() -> list[Group]:
    found = []
    for file in TEST_FILES:
        for test in yaml_text.load(file.read_text())["tests"]:
            alerts, _, cases = test["name"].partition(": ")
            if alerts == "records":
                continue
            looks = tuple(
                Look(look["alertname"], _seconds(look["eval_time"]), len(look["exp_alerts"]))
                for look in test.get("alert_rule_test", [])
            )
            found.append(
                Group(test["name"], tuple(alerts.split(", ")), tuple(cases.split(", ")), looks)
            )
    return found


GROUPS = _groups()


@cache
def _exemptions() -> dict[str, set[str]]:
    exempt: dict[str, set[str]] = defaultdict(set)
    # One file for all, or one beside the test file of a service that was added later.
    for path in sorted(TESTS.glob("*exemptions.yml")):
        for entry in yaml_text.load(path.read_text()):
            assert entry["reason"].strip(), f"an exemption of {entry['cases']} has no reason"
            for alert in entry["alerts"]:
                exempt[alert].update(entry["cases"])
    return exempt


def _proven(alert: str) -> set[str]:
    return {case for group in GROUPS if alert in group.alerts for case in group.cases}


@for_each("alert", ALERTS)
def test_an_alert_has_every_case_or_a_reason_why_not(alert: str) -> None:
    missing = set(CASES) - _proven(alert) - _exemptions()[alert]
    assert missing == set()


def test_no_exemption_is_left_over() -> None:
    exempt = _exemptions()
    assert set(exempt) - set(ALERTS) == set()
    assert {alert: cases & _proven(alert) for alert, cases in exempt.items()} == {
        alert: set() for alert in exempt
    }


@for_each("group", GROUPS, lambda group: group.name)
def test_a_group_looks_at_the_alerts_and_cases_of_its_name(group: Group) -> None:
    assert set(group.alerts) <= set(ALERTS)
    assert set(group.cases) <= set(CASES)
    assert set(group.alerts) <= {look.alert for look in group.looks}


@for_each("alert", ALERTS)
def test_a_fault_makes_the_alert_fire(alert: str) -> None:
    groups = [g for g in GROUPS if alert in g.alerts and "fault" in g.cases]
    assert [g.name for g in groups if not g.firing(alert)] == []


@for_each("alert", ALERTS)
def test_health_ends_in_silence(alert: str) -> None:
    groups = [g for g in GROUPS if alert in g.alerts and "healthy" in g.cases]
    assert [
        g.name
        for g in groups
        if not g.silent(alert) or max(g.silent(alert)) < max(g.firing(alert), default=0)
    ] == []


@for_each("alert", sorted(set(ALERTS) - {"Watchdog"}))
def test_an_alert_is_looked_at_just_before_and_just_after_its_for(alert: str) -> None:
    hold = _seconds(ALERTS[alert]["for"])
    groups = [g for g in GROUPS if alert in g.alerts and "at_for_not_before" in g.cases]
    for group in groups:
        fires = min(group.firing(alert))
        silent = max((second for second in group.silent(alert) if second < fires), default=None)
        assert fires >= hold, group.name
        assert silent is not None, group.name
        assert fires - silent <= NEAR_SECONDS, group.name
