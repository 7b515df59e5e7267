"""Tests of rules without the rules that they do not read."""

from __future__ import annotations

from pathlib import Path

from components.rules.rule_set import shipped_files
from tests.rules.narrowed import RuleTests, judged
from tests.rules.rule_files import TESTS

RULES = shipped_files()


def test_rules_of_a_test_are_its_alerts_and_what_they_read() -> None:
    parts = RuleTests.read(TESTS / "slo.test.yml", RULES).parts()
    names = next(
        {
            rule.get("alert") or rule["record"]
            for group in rules["slo.yml"]["groups"]
            for rule in group["rules"]
        }
        for content, rules in parts
        if content["tests"][0]["name"].startswith("AvailabilityBudgetBurnSlow: ")
    )
    assert {"AvailabilityBudgetBurnSlow", "job:slo_availability_bad:ratio_rate6h"} <= names
    assert {name for name in names if "atency" in name or name.endswith("Fast")} == set()


def test_every_test_is_judged_once() -> None:
    tests = RuleTests.read(TESTS / "backend.test.yml", RULES)
    judged_ones = [test for content, _ in tests.parts() for test in content["tests"]]
    assert sorted(map(str, judged_ones)) == sorted(map(str, tests.content["tests"]))


def test_wrong_rule_is_reported_with_its_alert(promtool: str, tmp_path: Path) -> None:
    wrong = RULES | {"scrape_jobs.yml": RULES["scrape_jobs.yml"].replace("for: 10m", "for: 20m")}
    output = judged(promtool, RuleTests.read(TESTS / "scrape_jobs.test.yml", wrong), tmp_path)
    assert "FAILED" in output
    assert "alertname: ScrapeJobEmpty" in output
