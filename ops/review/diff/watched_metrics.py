"""Metrics that the generated alerts on missing metrics watch, and those that leave them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.review.diff import promql
from ops.review.diff.report import Field, Line, quoted
from ops.review.diff.rules import Rule, VersionRules

# As components/rules/blindness.py writes each of them, with the operator before.
_ONE = re.compile(
    r"(?:\bor\s+)?label_replace\((?:[^()]|\([^()]*\))*, "
    r"\"metric\", \"(?P<metric>\w+)\", \"\", \"\"\)"
)
_SERIES = re.compile(r"instance_metric:\w+_metrics_present:bool")


def watched(rule: Rule) -> frozenset[str]:
    """Return the metrics that a generated rule watches; of any other rule, none."""
    if not _SERIES.search(rule.expr) and not _SERIES.fullmatch(rule.name):
        return frozenset()
    return frozenset(found["metric"] for found in _ONE.finditer(rule.expr))


def fields(old: Rule, new: Rule) -> Iterator[Field] | None:
    """Yield the metrics that come and go; None where more than the list of metrics changed."""
    if not (watched(old) and watched(new)) or _rest(old) != _rest(new):
        return None
    return _fields(watched(old), watched(new))


def unwatched(old: Rule, new: Rule, after: VersionRules) -> list[Line]:
    """Return which metrics left the list although a rule still reads them."""
    read = {
        name
        for rule in after.rules
        if not _SERIES.search(rule.expr) and not _SERIES.fullmatch(rule.name)
        for name in promql.metrics(rule.expr)
    }
    left = sorted((watched(old) - watched(new)) & read)
    if not left or not watched(new):
        return []
    return [("rules still read ", *quoted(left), ", and nothing reports that they are missing")]


def _fields(old: frozenset[str], new: frozenset[str]) -> Iterator[Field]:
    if left := sorted(old - new):
        yield Field("metrics no longer watched", ", ".join(left), None)
    if more := sorted(new - old):
        yield Field("metrics now watched", None, ", ".join(more))


def _rest(rule: Rule) -> str:
    return " ".join(_ONE.sub("", rule.expr).split())
