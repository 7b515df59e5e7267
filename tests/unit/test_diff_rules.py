"""Report of rule sets: every change, and nothing else."""

from __future__ import annotations

import copy
import random
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.review.diff import rules
from tests.unit import diff_stacks as stacks

# Together below 10 s on a machine that does other things as well.
FEW = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

metrics = st.sampled_from(["up", "job:errors:ratio", "a_total", "b:c:sum"])
durations = st.sampled_from(["0s", "1m", "5m", "1h"])
words = st.text("abc <>|`{}#\n", max_size=12)
expressions = st.builds("{} {} {}".format, metrics, st.sampled_from("<>"), st.integers(-9, 99))
alerts = st.fixed_dictionaries(
    {
        "alert": st.sampled_from(["High", "Low", "Down", "Slow"]),
        "expr": expressions,
        "for": durations,
        "labels": st.fixed_dictionaries(
            {"severity": st.sampled_from(["critical", "warning"]), "service": metrics}
        ),
        "annotations": st.fixed_dictionaries({"summary": words}),
    }
)
records = st.fixed_dictionaries({"record": metrics, "expr": expressions})
groups = st.lists(st.one_of(alerts, records), min_size=1, max_size=5)
rule_sets = st.lists(groups, min_size=1, max_size=3).map(
    lambda found: {"groups": [{"name": f"group{n}", "rules": each} for n, each in enumerate(found)]}
)


def _changed(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, str):
        return f"{value}x"
    return [*value, "more"]


def _edit(found: dict[str, Any], choice: random.Random) -> str:
    """Changes one thing of a rule set and returns the name of what it is."""
    group = choice.choice(found["groups"])
    index = choice.randrange(len(group["rules"]))
    rule = group["rules"][index]
    name = str(rule.get("alert") or rule.get("record"))
    match choice.choice(["expr", "for", "label", "annotation", "other", "name", "less", "more"]):
        case "expr":
            rule["expr"] = f"({rule['expr']}) or vector(1)"
        case "for" if "alert" in rule:
            rule["for"] = "30m"
        case "label":
            rule.setdefault("labels", {})["team"] = "night"
        case "annotation" if "alert" in rule:
            rule["annotations"]["summary"] += "!"
        case "other" if "alert" in rule:
            rule["keep_firing_for"] = "7m"
        case "name":
            rule["alert" if "alert" in rule else "record"] = f"{name}:new"
        case "less":
            del group["rules"][index]
        case _:
            group["rules"].insert(index, copy.deepcopy(rule))
    return name


def _shuffled(found: dict[str, Any], choice: random.Random) -> dict[str, Any]:
    other = copy.deepcopy(found)
    choice.shuffle(other["groups"])
    for group in other["groups"]:
        choice.shuffle(group["rules"])
    return other


def _text(found: dict[str, Any], *, flow: bool = False) -> str:
    return yaml.safe_dump(found, sort_keys=flow, default_flow_style=flow)


@FEW
@given(rule_sets, st.integers())
def test_rule_set_changes_are_reported_by_name(found: dict[str, Any], seed: int) -> None:
    after = copy.deepcopy(found)
    name = _edit(after, random.Random(seed))
    report = stacks.report(stacks.rules_alone(_text(found)), stacks.rules_alone(_text(after)))
    assert report.changes
    assert name in {item.subject for item in report.items()}


@FEW
@given(rule_sets, st.integers())
def test_changed_rule_is_reported_once(found: dict[str, Any], seed: int) -> None:
    after = copy.deepcopy(found)
    name = _edit(after, random.Random(seed))
    before, now = rules.read({"r": _text(found)}), rules.read({"r": _text(after)})
    differing = [
        {one.name for one in pair if one}
        for pair in rules.pairs(before.rules, now.rules)
        if pair[0] is None or pair[1] is None or pair[0].meaning != pair[1].meaning
    ]
    assert 1 <= len(differing) <= 2
    assert all(named <= {name, f"{name}:new"} for named in differing)


@FEW
@given(rule_sets, st.integers())
def test_reordered_or_reformatted_rules_report_nothing(found: dict[str, Any], seed: int) -> None:
    other = _shuffled(found, random.Random(seed))
    before = stacks.rules_alone(_text(found))
    after = stacks.rules_alone("# A comment.\n" + _text(other, flow=True))
    assert not stacks.report(before, after).changes


@FEW
@given(rule_sets, st.integers())
def test_rule_set_changed_and_reverted_reports_nothing(found: dict[str, Any], seed: int) -> None:
    there = copy.deepcopy(found)
    choice = random.Random(seed)
    _edit(there, choice)
    first, second = stacks.rules_alone(_text(found)), stacks.rules_alone(_text(there))
    assert stacks.report(first, second).changes
    assert stacks.report(second, first).changes
    assert not stacks.report(first, stacks.rules_alone(_text(_shuffled(found, choice)))).changes


def test_changed_alert_of_two_with_one_name_is_reported() -> None:
    def both(threshold: int) -> str:
        return _text(
            {
                "groups": [
                    {
                        "name": "disk",
                        "rules": [
                            {"alert": "Full", "expr": "a > 80", "labels": {"severity": "warning"}},
                            {
                                "alert": "Full",
                                "expr": f"a > {threshold}",
                                "labels": {"severity": "critical"},
                            },
                        ],
                    }
                ]
            }
        )

    found = stacks.printed(
        stacks.report(stacks.rules_alone(both(90)), stacks.rules_alone(both(95)))
    )
    assert "threshold: > 90 -> > 95" in found
    assert "severity" not in found.partition("All changes")[0]


def test_removed_duplicate_alert_is_reported() -> None:
    rule = {"alert": "Full", "expr": "a > 80"}
    before = _text({"groups": [{"name": "disk", "rules": [rule, rule]}]})
    after = _text({"groups": [{"name": "disk", "rules": [rule]}]})
    found = stacks.report(stacks.rules_alone(before), stacks.rules_alone(after))
    assert "alert Full removed" in stacks.printed(found)


def test_alert_in_another_group_is_reported_as_moved() -> None:
    rule = {"alert": "Full", "expr": "a > 80"}
    before = _text({"groups": [{"name": "disk", "rules": [rule]}]})
    after = _text({"groups": [{"name": "host", "interval": "5m", "rules": [rule]}]})
    found = stacks.printed(stacks.report(stacks.rules_alone(before), stacks.rules_alone(after)))
    assert 'rules/rules.yml, group disk -> rules/rules.yml, group host (interval "5m")' in found


def test_empty_group_is_reported() -> None:
    before = _text({"groups": []})
    after = _text({"groups": [{"name": "empty", "rules": []}]})
    found = stacks.printed(stacks.report(stacks.rules_alone(before), stacks.rules_alone(after)))
    assert "group empty of rules/rules.yml added" in found


def test_invalid_rule_file_is_reported_as_text() -> None:
    found = stacks.report(stacks.rules_alone("groups: []"), stacks.rules_alone("groups: [{]"))
    assert 'files["rules/rules.yml"]' in stacks.printed(found).partition("All changes")[0]
