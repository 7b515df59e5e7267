"""Queries that are narrowed to what a stack recorded itself."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from components.rules import federation_labels
from components.rules.rule_set import shipped_files

EXPRESSIONS = [
    ("a:b:c", 'a:b:c{stack=""}'),
    ("100 * job:x_y:ratio_rate5m > 5", '100 * job:x_y:ratio_rate5m{stack=""} > 5'),
    ('a:b:c{job="x"} / d:e:f', 'a:b:c{stack="",job="x"} / d:e:f{stack=""}'),
    ("a:b:c{}", 'a:b:c{stack=""}'),
    ("a:b:c{ job=~'x' }", "a:b:c{ stack=\"\",job=~'x' }"),
    ("avg_over_time(a:b:c[1h:5m])", 'avg_over_time(a:b:c{stack=""}[1h:5m])'),
    ("sum by (job) (a:b:c offset 5m)", 'sum by (job) (a:b:c{stack=""} offset 5m)'),
    ("(a:b:c)", '(a:b:c{stack=""})'),
    ('up{job="a:b:c"}', 'up{job="a:b:c"}'),
    ("rate(http_requests_total[5m])", "rate(http_requests_total[5m])"),
    ("max_over_time(up[1h:1m:])", "max_over_time(up[1h:1m:])"),
]


@pytest.mark.parametrize(("expr", "narrowed"), EXPRESSIONS, ids=[e for e, _ in EXPRESSIONS])
def test_federation_labels_are_added_to_recorded_names_only(expr: str, narrowed: str) -> None:
    assert federation_labels.of_expression(expr) == narrowed


def _rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", shipped_files())
def test_federation_labels_keep_rule_names(name: str) -> None:
    text = shipped_files()[name]
    kept = [
        [{key: rule.get(key) for key in ("record", "alert", "for", "labels")} for rule in _rules(t)]
        for t in (text, federation_labels.of_rules(text))
    ]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", shipped_files())
def test_federation_labels_exclude_federated_series(name: str) -> None:
    text = federation_labels.of_rules(shipped_files()[name])
    recorded = {r["record"] for t in shipped_files().values() for r in _rules(t) if "record" in r}
    for rule in _rules(text):
        asked = [rule["expr"], *(rule.get("annotations") or {}).values()]
        for read in recorded:
            for where in asked:
                narrowed = where.replace(f'{read}{{stack=""', "")
                assert not any(
                    f"{before}{read}{after}" in f" {narrowed} "
                    for before in " (`"
                    for after in " {[)\n"
                ), (rule, read)


def test_federation_labels_keep_comments() -> None:
    assert federation_labels.of_rules("  # a:b:c is ours\n") == "  # a:b:c is ours\n"
