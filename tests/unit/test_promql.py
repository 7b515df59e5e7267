"""Metrics that an expression reads, with and without Grafana's variables."""

from __future__ import annotations

import pytest

from components.promql.grafana_variables import read_by_query
from components.promql.metrics import UnknownMetricsError, check_pattern, read_by

NAMED = [
    ("up", {"up"}),
    ("sum by (job) (rate(a_total[5m])) / on (job) group_left b", {"a_total", "b"}),
    ("histogram_quantile(0.9, sum by (le) (rate(c_bucket[5m])))", {"c_bucket"}),
    ("max_over_time(rate(a[5m])[1h:1m])", {"a"}),
    ("a @ start() + b @ 5", {"a", "b"}),
    ("topk(scalar(n), a)", {"n", "a"}),
    ('label_replace(a, "__name__", "b", "x", "(.*)")', {"a"}),
    ("-a and on () b unless (c or d)", {"a", "b", "c", "d"}),
    ('{__name__="a", job="x"}', {"a"}),
    ('{"a", job="x"}', {"a"}),
    ('{__name__=~"a|b", __name__="a"}', {"a"}),
    ("a{x=~`1(\\.0)?`} # not `b`", {"a"}),
    ("info(a)", {"a", "target_info"}),
    ("time() - vector(1)", set()),
]
MATCHED = [
    ('{__name__=~"node_.+",job="x"}', {"node_.+"}),
    ('count({__name__!~"b", __name__=~"a|b"})', {"a|b"}),
    ('{__name__=~"a", __name__!="ab"}', {"a"}),
]
UNKNOWN = [
    '{job="x"}',
    'count by (__name__) ({__name__=~".+"})',
    '{__name__=~".*"}',
    '{__name__!="a"}',
    '{__name__!~"a.*", job="x"}',
    'a{x="1" or y="2"}',
    "rate(a[5m]",
    "a b",
    "",
]
WITH_VARIABLES = [
    ('rate(a{job=~"$job", x=~"${x:regex}", y="[[y]]"}[$__rate_interval])', {"a"}),
    ("rate(a[${__range_s}s]) + increase(b[$__range:$step])", {"a", "b"}),
    ("rate(a[[[window]]])", {"a"}),
    ("a offset $ago + b offset -${back}", {"a", "b"}),
    ("a @ $when", {"a"}),
    ("topk($n, a) / $__range_s", {"a"}),
    ("sum by ($label, ${other}) (a)", {"a"}),
    ("histogram_quantile($quantile, rate(a_bucket[5m]))", {"a_bucket"}),
    ('a # and "$b', {"a"}),
]


@pytest.mark.parametrize(("expression", "names"), NAMED)
def test_metrics_of_plain_selector_are_its_name(expression: str, names: set[str]) -> None:
    assert (read_by(expression).names, read_by(expression).patterns) == (names, set())


@pytest.mark.parametrize(("expression", "patterns"), MATCHED)
def test_metrics_of_name_regex_are_the_pattern(expression: str, patterns: set[str]) -> None:
    assert (read_by(expression).names, read_by(expression).patterns) == (set(), patterns)


@pytest.mark.parametrize("expression", UNKNOWN)
def test_metrics_of_unbounded_selector_are_a_doubt(expression: str) -> None:
    with pytest.raises(UnknownMetricsError):
        read_by(expression)


@pytest.mark.parametrize(("query", "names"), WITH_VARIABLES)
def test_metrics_with_label_variable_are_found(query: str, names: set[str]) -> None:
    found = read_by_query(query, {})
    assert (found.names, found.patterns) == (names, set())


@pytest.mark.parametrize(
    ("query", "pattern"),
    [
        ("rate(node_${what}_total[5m])", "node_.*_total"),
        ("$prefix:b:c", ".*:b:c"),
        ('{__name__="node_$what"}', "node_.*"),
        ('{__name__=~"(a|$b)_total"}', "(a|.*)_total"),
    ],
)
def test_metrics_with_variable_in_name_match_any_text(query: str, pattern: str) -> None:
    assert read_by_query(query, {}).patterns == {pattern}


@pytest.mark.parametrize(
    "query",
    [
        "$metric",
        "rate($metric[5m])",
        '{__name__=~"$metric"}',
        "topk($n, a * $b)",
        "$f(a)",
        "a $op 5",
    ],
)
def test_metrics_with_variable_as_metric_are_a_doubt(query: str) -> None:
    with pytest.raises(UnknownMetricsError):
        read_by_query(query, {})


def test_metrics_with_known_variable_values_are_each_of_them() -> None:
    choices = {"f": ["rate", "increase"], "m": ["a_total", "b_total"], "limit": ["5", "10"]}
    assert read_by_query("$f($m[5m]) > $limit", choices).names == {"a_total", "b_total"}


def test_metrics_with_too_many_variable_values_are_a_doubt() -> None:
    with pytest.raises(UnknownMetricsError, match="too many"):
        read_by_query("$a + $b", {name: [f"m{n}" for n in range(20)] for name in "ab"})


@pytest.mark.parametrize("pattern", ["(a", "(?=a)b", "(a)\\1"])
def test_metrics_with_invalid_regex_are_refused(pattern: str) -> None:
    with pytest.raises(UnknownMetricsError):
        check_pattern(pattern)
