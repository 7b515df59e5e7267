"""The rules of a stack: parsed once, overridden once, edited at the right place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from components.prometheus.rules import stack_rules
from components.rules import overrides, rule_file, rule_set
from components.rules.overrides import AlertOverride
from components.rules.rule_set import RuleSet, shipped_files
from components.settings.settings import Settings
from tests.each import for_each

Make = Callable[..., Settings]
ALERTS = RuleSet.shipped().alerts
OWN_RULES = """\
# Kötü 😀 beds.
groups:
  - name: ward
    rules:
      - record: ward:beds:sum
        expr: sum(beds)
      # Ünlü 😀.
      - alert: BedsWithoutSignal
        expr: beds_without_signal{ward="çocuk 😀"} > 2
        for: 1m
        labels: {severity: critical, service: ward}
        annotations:
          summary: 'Yatak 😀 {{ $value }}'

      - alert: BedsFull
        expr: ward:beds:sum > 90
        labels:
          severity: warning
          service: ward
"""
LOADERS: list[Any] = [
    loader for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", None)) if loader
]


@pytest.fixture
def parsed_texts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each text of a rule file goes through PyYAML."""
    found: Counter[str] = Counter()

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(text: Any, *args: Any, **kwargs: Any) -> Any:
            if "- alert:" in str(text) or "- record:" in str(text):
                found[str(text)] += 1
            return function(text, *args, **kwargs)

        return call

    for name in ("compose", "load"):
        monkeypatch.setattr(yaml, name, counting(getattr(yaml, name)))
    rule_file.parse.cache_clear()
    rule_set._read.cache_clear()
    return found


def test_a_run_of_the_program_parses_each_rule_file_once(
    parsed_texts: Counter[str], run_program: Callable[..., Any]
) -> None:
    own = {"HighErrorRate": {"threshold": 3}, "RedisDown": {"for": "2m"}}
    view = run_program("dev", alerts=own, sloObjective="99.5")
    assert "rules/slo.yml" in view.config("prometheus")["files"]
    assert parsed_texts == Counter(dict.fromkeys(shipped_files().values(), 1))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("text", [*shipped_files().values(), OWN_RULES])
def test_rule_file_has_the_same_places_with_both_yaml_loaders(
    text: str, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rule_file.parse(text)
    monkeypatch.setattr(rule_file, "LOADER", loader)
    again = rule_file.parse.__wrapped__(text)
    assert _places(found) == _places(again)


def _places(file: rule_file.RuleFile) -> list[Any]:
    return [
        (r.content, r.title, r.lines, r.threshold, *map(r.span, ("expr", "for", "labels")))
        for r in file.rules
    ]


def test_rule_file_spans_count_characters_in_text_with_others_than_ascii() -> None:
    _, signal, _ = rule_file.parse(OWN_RULES).rules
    spans = (signal.expression, signal.span("for"), signal.span("labels", "severity"))
    texts = [OWN_RULES[slice(*span)].strip() for span in spans if span]
    assert (texts[0][-3:], *texts[1:]) == ("> 2", "1m", "critical")
    assert OWN_RULES[slice(*signal.lines)].startswith("      # Ünlü 😀.\n      - alert: Beds")


def test_overrides_of_a_text_with_others_than_ascii_change_their_places_alone() -> None:
    own = {
        "BedsWithoutSignal": AlertOverride(threshold=4, severity="warning"),
        "BedsFull": AlertOverride.model_validate({"for": "5m"}),
    }
    changed = overrides.apply(RuleSet.of({"ward.yml": OWN_RULES}), own).files["ward.yml"]
    assert changed == OWN_RULES.replace("> 2", "> 4").replace("critical", "warning").replace(
        "        labels:\n", "        for: 5m\n        labels:\n"
    )


@for_each("name", ALERTS)
def test_an_overridden_alert_is_what_its_file_says(name: str) -> None:
    shipped = ALERTS[name]
    override = AlertOverride.model_validate(
        {
            "for": "7m",
            **({"threshold": 42.5} if shipped.threshold is not None else {}),
            **({"severity": "warning"} if shipped.severity == "critical" else {}),
        }
    )
    rules = overrides.apply(RuleSet.shipped(), {name: override})
    assert rules.alerts == RuleSet.of(rules.files).alerts
    assert rules.alerts[name] != shipped


def test_a_disabled_alert_is_in_no_file_and_nothing_is_stored_for_it() -> None:
    own = RuleSet.of({"ward.yml": OWN_RULES})
    rules = overrides.apply(own, {"BedsWithoutSignal": AlertOverride(enabled=False)})
    assert rules.alerts["BedsWithoutSignal"] == replace(
        own.alerts["BedsWithoutSignal"], disabled=True
    )
    assert "BedsWithoutSignal" not in rules.files["ward.yml"]
    assert own.metrics_read.reads.names - rules.metrics_read.reads.names == {"beds_without_signal"}


def test_an_override_after_another_edit_is_refused() -> None:
    rules = RuleSet.of({"ward.yml": OWN_RULES}).rewritten("ward.yml", str.upper)
    with pytest.raises(ValueError, match=r"ward\.yml was rewritten before"):
        overrides.apply(rules, {"BedsFull": AlertOverride(threshold=4)})


def test_an_override_of_an_unknown_alert_is_refused() -> None:
    with pytest.raises(KeyError, match="HighCpuUsage"):
        overrides.apply(RuleSet.shipped(), {"HighCpuUsage": AlertOverride(threshold=4)})


def test_stack_rules_of_a_federating_stack_agree_with_their_files(settings: Make) -> None:
    source = {"stack": "clinic", "target": "192.0.2.7:9090"}
    rules = stack_rules(settings(federation=[source]))
    again = RuleSet.of(rules.files)
    assert again.alerts == {name: rules.alerts[name] for name in again.alerts}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "has no list `groups`"),
        ("groups: 3", "has no list `groups`"),
        ("groups: [a]", "its group 1 has no list `rules`"),
        ("groups: [{name: a, rules: {}}, {name: b, rules: 7}]", "its group 2 has no list `rules`"),
        ("groups: [{name: a, rules: [2026-99-99]}]", "has a value that cannot be read: month"),
    ],
)
def test_parse_of_what_is_not_a_rule_file_says_why(text: str, words: str) -> None:
    with pytest.raises(rule_file.RuleFileError, match=words.replace("[", r"\[")):
        rule_file.parse(text)
