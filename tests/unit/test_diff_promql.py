"""PromQL by its meaning."""

from __future__ import annotations

import pytest

from ops.review.diff import promql
from ops.review.diff.promql import Threshold

SAME = {
    "white space": ("sum by (job) (up)", "sum  by(job)(\n  up\n)"),
    "brackets": ("a + b * c", "(a + (b * c))"),
    "labels": ('up{a="1",b=~"2"}', 'up{b=~"2", a="1"}'),
    "quotes": ("up{a='1'}", 'up{a="1"}'),
    "grouping": ("sum by (a, b) (up)", "sum(up) by (b, a)"),
    "no grouping": ("sum(up)", "sum by () (up)"),
    "durations": ("rate(up[5m])", "rate(up[300s])"),
    "numbers": ("up > 1000", "up > 1e3"),
    "a name": ('{__name__="up"}', "up"),
    "a comment": ("up # down", "up"),
    "Grafana's durations": ("rate(up[$__rate_interval])", "rate( up[${__rate_interval}] )"),
    "what cannot be parsed": ("up ==  \n up up", "up == up up"),
}
DIFFERENT = {
    "precedence": ("a + b * c", "(a + b) * c"),
    "a metric": ("up", "down"),
    "a matcher": ('up{a="1"}', 'up{a!="1"}'),
    "by and without": ("sum by (a) (up)", "sum without (a) (up)"),
    "nothing kept and all kept": ("sum(up)", "sum without () (up)"),
    "on nothing": ("a and on () b", "a and b"),
    "bool": ("a > bool 1", "a > 1"),
    "group_left": ("a * on (x) group_left () b", "a * on (x) group_right () b"),
    "an offset": ("up", "up offset 5m"),
    "a parameter": ("topk(5, up)", "topk(6, up)"),
    "a string": ('count_values("a", up)', 'count_values("b", up)'),
    "Grafana's durations": ("rate(up[$__interval])", "rate(up[$__range])"),
    "a sign": ("up > -1", "up > 1"),
    "a subquery's step": ("max_over_time(up[1h:1m])", "max_over_time(up[1h:5m])"),
}
WEAKER = {
    "a higher upper bound": ("a > 5", "a > 6", True),
    "a lower upper bound": ("a > 5", "a > 4", False),
    "a lower lower bound": ("a < 5", "a < 4", True),
    "a higher lower bound": ("a < 5", "a < 6", False),
    "at the bound no more": ("a >= 5", "a > 5", True),
    "at the bound too": ("a > 5", "a >= 5", False),
    "the number first": ("5 < a", "6 < a", True),
    "below zero": ("a > -5", "a > 0", True),
    "a condition": ("a > 5 and on (job) b > 1", "a > 5 and on (job) b > 2", True),
    "an exception": ("a > 5 unless b > 1", "a > 5 unless b > 2", False),
    "an exception of an exception": (
        "a unless (b unless c > 1)",
        "a unless (b unless c > 2)",
        True,
    ),
    "an alternative": ("a > 5 or b > 1", "a > 5 or b > 2", True),
    "equality": ("a == 0", "a == 1", None),
    "the other direction": ("a > 5", "a < 5", None),
}


@pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
def test_same_with_equivalent_expressions_is_true(old: str, new: str) -> None:
    assert promql.same(old, new)


@pytest.mark.parametrize(("old", "new"), DIFFERENT.values(), ids=DIFFERENT)
def test_same_with_different_expressions_is_false(old: str, new: str) -> None:
    assert not promql.same(old, new)


@pytest.mark.parametrize(("old", "new", "weaker"), WEAKER.values(), ids=WEAKER)
def test_threshold_changed_reports_its_direction(old: str, new: str, weaker: bool | None) -> None:
    found = promql.thresholds(old, new)
    assert found is not None
    assert [threshold.weaker for threshold in found] == [weaker]


def test_threshold_is_printed_with_its_operator() -> None:
    assert promql.thresholds("100 * a >= 5", "100 * a >= 7.5") == [
        Threshold(">= 5", ">= 7.5", True)
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a > 5", "b > 5"),
        ("100 * (a and b > 10) > 50", "100 * (a and b > 20) > 50"),
        ("a > bool 5", "a > bool 6"),
        ("rate(a[5m]) > 5", "rate(a[10m]) > 6"),
        ("a > 5 and on (x) b", "a > 6 and on (y) b"),
        ("a +", "a -"),
    ],
)
def test_threshold_with_other_changes_is_an_expression_change(old: str, new: str) -> None:
    assert promql.thresholds(old, new) is None


def test_metrics_of_an_expression_are_found() -> None:
    expression = 'job:a:rate5m / on (job) {__name__="b"} > sum(rate(c_total[5m] offset 1h))'
    assert promql.metrics(expression) == {"job:a:rate5m", "b", "c_total"}


def test_metrics_of_a_query_with_variables_are_found() -> None:
    found = promql.metrics('rate(a_total{instance=~"$instance"}[$__rate_interval])')
    assert found == {"a_total"}


def test_expression_is_printed_on_one_line() -> None:
    assert promql.pretty("sum by(job)(\n  up\n)") == "sum by (job) (up)"
