"""Labels of an expression's series, derived from what each service exposes.

PromQL is silent on what is not there: a selector of a metric that was renamed, a grouping by a
label that is gone. So an expression is read as Prometheus would, on labels instead of samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql
from promql_parser import LabelModifierType, MatchOp, VectorMatchCardinality

from tests.contract.recording import Metric

TARGET_LABELS = frozenset(("job", "instance"))
SCALAR = frozenset(("a scalar",))
# What no exporter has: what Prometheus makes of each scrape and of alerts, and what we do.
# Alerts also have the labels of what they are about.
_ABOUT = frozenset(
    (
        "endpoint",
        "mountpoint",
        "device",
        "datname",
        "slot_name",
        "collector",
        "metric",
        "rule_group",
    )
)
ITS_OWN = {
    "up": TARGET_LABELS,
    "scrape_duration_seconds": TARGET_LABELS,
    "scrape_samples_post_metric_relabeling": TARGET_LABELS,
    "scrape_samples_scraped": TARGET_LABELS,
    "ALERTS": TARGET_LABELS | _ABOUT | {"alertname", "alertstate", "severity", "service"},
    "ALERTS_FOR_STATE": TARGET_LABELS | _ABOUT | {"alertname", "severity", "service"},
    # Left by `ops backup` for node_exporter, and rendered from the stack's certificates.
    "vitalstream_backup_last_success_timestamp_seconds": TARGET_LABELS,
    "certificate:not_after_timestamp_seconds:min": frozenset(("certificate",)),
    # Of the jobs of `scrapeJobs`.
    "job:scrape_targets:count": frozenset(("job",)),
    "instance_metric:scrape_job_metrics_present:bool": TARGET_LABELS | {"metric"},
}
_KEEP_LABELS = ("topk", "bottomk", "limitk", "limit_ratio")
_WITHOUT_LABELS = {"vector": frozenset(()), "time": SCALAR, "scalar": SCALAR}
_SET_OPERATORS = ("and", "or", "unless")

Labels = frozenset[str]


@dataclass
class Reader:
    """Reads expressions where each job exposes these series, by name.

    `rules` are what recorded names stand for. `faults` gathers what is wrong apart from a series
    that nobody has, `missing` the selectors of those. `target_labels` are what the targets of a job
    have beside `job` and `instance`.
    """

    jobs: Mapping[str, Mapping[str, Metric]]
    rules: Mapping[str, str]
    faults: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    target_labels: Mapping[str, Labels] = field(default_factory=dict)
    _recorded: dict[str, Labels | None] = field(default_factory=dict)

    def read(self, text: str) -> Labels | None:
        """Return the labels that the expression's series may have; None if it has no series."""
        return self._of(promql.parse(text))

    def _of(self, node: Any) -> Labels | None:
        if isinstance(node, promql.VectorSelector):
            return self._selected(node)
        if isinstance(node, promql.NumberLiteral | promql.StringLiteral):
            return SCALAR
        if isinstance(node, promql.AggregateExpr):
            return self._aggregated(node)
        if isinstance(node, promql.BinaryExpr):
            return self._combined(node)
        if isinstance(node, promql.Call):
            return self._called(node.func.name, node.args)
        # A range, a subquery, parentheses or a sign.
        return self._of(getattr(node, "vector_selector", None) or node.expr)

    def _selected(self, node: promql.VectorSelector) -> Labels | None:
        matchers = node.matchers.matchers
        if node.name in ITS_OWN:
            more = [
                labels
                for job, labels in self.target_labels.items()
                if node.name == "up" and all(_fits(m, "job", job) for m in matchers)
            ]
            return ITS_OWN[node.name].union(*more)
        if node.name in self.rules:
            return self._of_rule(node.name)
        if node.name is None:
            # By a pattern of names.
            return TARGET_LABELS | {"__name__"}
        jobs = [job for job in self.jobs if all(_fits(m, "job", job) for m in matchers)]
        found = [
            metric.labels | TARGET_LABELS | self.target_labels.get(job, frozenset())
            for job in jobs
            if (metric := self.jobs[job].get(str(node.name)))
            and _has(metric, matchers, self.target_labels.get(job, frozenset()))
        ]
        if not found:
            self.missing.append(str(node))
            return None
        return frozenset().union(*found)

    def _of_rule(self, name: str) -> Labels | None:
        if name not in self._recorded:
            # Faults of a rule are reported for the rule itself.
            reader = Reader(
                self.jobs, self.rules, target_labels=self.target_labels, _recorded=self._recorded
            )
            self._recorded[name] = reader.read(self.rules[name])
        return self._recorded[name]

    def _aggregated(self, node: promql.AggregateExpr) -> Labels | None:
        labels = self._of(node.expr)
        if labels is None:
            return None
        operator, modifier = str(node.op), node.modifier
        if operator in _KEEP_LABELS:
            return labels
        made = frozenset((node.param.val,)) if operator == "count_values" and node.param else None
        if modifier is None:
            return made or frozenset()
        named = frozenset(modifier.labels)
        self._expect(named, labels, f"{operator} {str(modifier.type).split('.')[-1].lower()}", node)
        by = modifier.type == promql.AggModifierType.By
        return (named if by else labels - named) | (made or frozenset())

    def _combined(self, node: promql.BinaryExpr) -> Labels | None:
        left, right, operator = self._of(node.lhs), self._of(node.rhs), str(node.op)
        if left is None or right is None:
            return {"or": left or right, "unless": left}.get(operator)
        if SCALAR in (left, right):
            return right if left is SCALAR else left
        matching = node.modifier.matching if node.modifier else None
        if matching or operator != "or":
            self._check_match(node, left, right)
        if operator in _SET_OPERATORS:
            return left | right if operator == "or" else left
        return _joined(node.modifier, left, right)

    def _check_match(self, node: promql.BinaryExpr, left: Labels, right: Labels) -> None:
        """Two sides match where they agree on each label of `on`, or on all but the ignored."""
        matching = node.modifier.matching if node.modifier else None
        named = frozenset(matching.labels if matching else ())
        if matching and matching.type == LabelModifierType.Include:
            for side in (left, right):
                self._expect(named, side, f"{node.op} on", node)
        elif left - named != right - named:
            self.faults.append(
                f"`{node.op}` compares {_list(left - named)} with {_list(right - named)}, "
                f"which never agree: {_short(node)}"
            )

    def _called(self, name: str, args: list[Any]) -> Labels | None:
        read = [labels for arg in args if (labels := self._of(arg)) is not SCALAR]
        if name in _WITHOUT_LABELS:
            return _WITHOUT_LABELS[name]
        if name.startswith("absent"):
            equal = getattr(args[0], "matchers", None)
            return frozenset(m.name for m in equal.matchers if m.op == MatchOp.Equal)
        labels = read[0] if read else SCALAR
        if labels is not None and name == "histogram_quantile":
            self._expect(frozenset(("le",)), labels, name, args[1])
            return labels - {"le"}
        return labels | {args[1].val} if labels is not None and name == "label_replace" else labels

    def _expect(self, named: Labels, labels: Labels, what: str, node: Any) -> None:
        if absent := named - labels:
            self.faults.append(
                f"`{what}` names {_list(absent)}, which is not there: {_short(node)}"
            )


def _joined(modifier: promql.BinModifier | None, left: Labels, right: Labels) -> Labels:
    """Return the labels of the result of a binary operation on two vectors."""
    card = modifier.card if modifier else VectorMatchCardinality.OneToOne
    taken = frozenset((modifier.group_labels if modifier else None) or ())
    if card in (VectorMatchCardinality.ManyToOne, VectorMatchCardinality.OneToMany):
        return (left if card == VectorMatchCardinality.ManyToOne else right) | taken
    matching = modifier.matching if modifier else None
    named = frozenset(matching.labels if matching else ())
    on = matching is not None and matching.type == LabelModifierType.Include
    return named if on else left - named


def _has(metric: Metric, matchers: Iterable[promql.Matcher], of_target: Labels) -> bool:
    ignored = TARGET_LABELS | of_target
    return all(
        _fits(matcher, matcher.name, value)
        for matcher in matchers
        if matcher.name not in ignored
        for value in _values(metric, matcher)
    )


def _values(metric: Metric, matcher: promql.Matcher) -> list[str]:
    """Return the known values of a label: none if it can be anything, "" if it is absent."""
    if matcher.name not in metric.labels:
        return [""]
    known = metric.values.get(matcher.name)
    fits = [value for value in known or () if _fits(matcher, matcher.name, value)]
    return [] if known is None or fits else sorted(known)


def _fits(matcher: promql.Matcher, label: str, value: str) -> bool:
    if matcher.name != label:
        return True
    equal = matcher.op in (MatchOp.Equal, MatchOp.Re)
    if matcher.op in (MatchOp.Equal, MatchOp.NotEqual):
        return (matcher.value == value) is equal
    return (re.fullmatch(matcher.value, value) is not None) is equal


def _list(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def _short(node: Any) -> str:
    return " ".join(node.prettify().split())[:160]
