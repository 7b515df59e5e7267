"""Service level objective: one number of `rules/slo.yml` that a stack can set."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.prometheus.rules import stack_rules
from components.rules import slo
from components.rules.rule_set import RuleSet, shipped_files
from components.settings.settings import Settings

Make = Callable[..., Settings]
Refused = Callable[..., str]
SHIPPED = shipped_files()


def _objective(text: str) -> str:
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    found: str = next(r["expr"] for r in rules if r.get("record") == "slo:objective:ratio")
    return found


def test_objective_default_is_that_of_the_rule_file() -> None:
    assert slo.apply(RuleSet.shipped(), slo.DEFAULT).files == SHIPPED


@pytest.mark.parametrize(
    ("percent", "expr"),
    [
        ("99.95", "vector(0.9995)"),
        ("99", "vector(0.99)"),
        ("99.90", "vector(0.999)"),
        ("99.999", "vector(0.99999)"),
        ("93.1", "vector(0.931)"),
    ],
)
def test_objective_set_is_written_exactly(percent: str, expr: str, settings: Make) -> None:
    rendered = stack_rules(settings(sloObjective=percent)).files
    assert _objective(rendered["slo.yml"]) == expr


def test_objective_set_changes_one_line(settings: Make) -> None:
    changed = stack_rules(settings(sloObjective="99.5")).files["slo.yml"]
    lines = difflib.ndiff(SHIPPED["slo.yml"].splitlines(), changed.splitlines())
    assert [line[0] for line in lines if line[0] in "+-"] == ["-", "+"]


def test_objective_set_keeps_the_other_files(settings: Make) -> None:
    rendered = stack_rules(settings(sloObjective="99.5", protectData=True)).files
    assert {file for file in rendered if rendered[file] != SHIPPED[file]} == {"slo.yml"}


def test_objective_set_is_delivered_to_prometheus(run_program: Callable[..., Any]) -> None:
    files = run_program("dev", sloObjective="99.5").config("prometheus")["files"]
    assert _objective(files["rules/slo.yml"]) == "vector(0.995)"


def test_objective_and_override_of_one_file_are_both_applied(settings: Make) -> None:
    own = {"AvailabilityBudgetBurnFast": {"threshold": 10}}
    text = stack_rules(settings(sloObjective="99.5", alerts=own)).files["slo.yml"]
    assert ("vector(0.995)" in text, "job:slo_availability_burn:fast > 10\n" in text) == (
        True,
        True,
    )


@pytest.mark.parametrize(
    "percent",
    [
        "89.9",
        "99.9991",
        "100",
        "0.999",
        "99.9%",
        "99,9",
        "",
        "nan",
        "9e1",
        " 99.9",
        "99.9\n",
        "-99",
    ],
    ids=json.dumps,
)
def test_objective_invalid_is_refused(percent: str, refused: Refused) -> None:
    assert "is not a percentage from 90 to 99.999" in refused({"sloObjective": percent})


def test_objective_too_low_for_a_budget_alert_is_refused(
    refused: Refused,
) -> None:
    words = "with 93% the budget burns 14.3 times too fast at most, and it fires above 14.4"
    assert words in refused({"sloObjective": "93"})


@pytest.mark.parametrize("own", [{"threshold": 5}, {"enabled": False}], ids=json.dumps)
def test_objective_low_but_reachable_is_accepted(own: dict[str, Any], settings: Make) -> None:
    alerts = {"AvailabilityBudgetBurnFast": own, "LatencyBudgetBurnFast": own}
    assert settings(sloObjective="90", alerts=alerts).slo_objective == "90"


def test_burn_threshold_above_the_budget_is_refused(refused: Refused) -> None:
    message = refused({"alerts": {"LatencyBudgetBurnSlow": {"threshold": 1000}}})
    assert "LatencyBudgetBurnSlow could never fire" in message


@pytest.mark.parametrize("text", ["groups: []\n", SHIPPED["slo.yml"] * 2], ids=["none", "two"])
def test_rule_file_without_objective_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rules slo:objective:ratio"):
        slo.apply(RuleSet.of({slo.RULE_FILE: text}), "99.5")
