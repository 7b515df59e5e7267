"""Metrics that a rule file reads in its expressions and in its alerts' templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from components.promql.metrics import (
    ANY,
    Metrics,
    UnknownMetricsError,
    read_by,
)

_ACTION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_QUERY: Final = re.compile(r"\bquery\b")
# Strings of an action, except for the label names that `label` and `sortByLabel` take.
_LITERAL: Final = re.compile(
    r"(?P<label>\b(?:label|sortByLabel)\s+)?(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)"
)
_VERB: Final = re.compile(r"%[-+# 0]*[\d.]*[a-zA-Z%]")


@dataclass(frozen=True)
class RuleMetrics:
    """Names that rules record and metrics that they read.

    `doubts` are expressions whose metrics cannot be determined, each with its rule.
    """

    recorded: frozenset[str] = frozenset()
    reads: Metrics = field(default_factory=Metrics)
    doubts: tuple[str, ...] = ()

    def __or__(self, other: RuleMetrics) -> RuleMetrics:
        return RuleMetrics(
            self.recorded | other.recorded, self.reads | other.reads, self.doubts + other.doubts
        )


def read(rules: Iterable[Mapping[str, Any]], file: str) -> RuleMetrics:
    """Return what the rules of a file record and read, the file's first doubt with them."""
    recorded: set[str] = set()
    reads = Metrics()
    for rule in rules:
        name = rule.get("record") or rule.get("alert")
        if "record" in rule:
            recorded.add(str(name))
        for expression in _expressions(rule):
            try:
                reads |= read_by(expression)
            except UnknownMetricsError as error:
                shown = expression.replace(ANY, "...")
                doubt = f"{file}: {name}: `{shown}` {error}"
                return RuleMetrics(frozenset(recorded), reads, (doubt,))
    return RuleMetrics(frozenset(recorded), reads)


def _expressions(rule: Mapping[str, Any]) -> Iterator[str]:
    yield str(rule.get("expr", ""))
    for part in ("labels", "annotations"):
        texts = rule.get(part)
        for template in texts.values() if isinstance(texts, dict) else ():
            for action in _ACTION.findall(str(template)):
                yield from _of_action(action)


def _of_action(action: str) -> Iterator[str]:
    """Return the queries of a template's action; a query built elsewhere counts as unknown."""
    literals = [
        _VERB.sub(ANY, _unquoted(found["text"]))
        for found in _LITERAL.finditer(action)
        if not found["label"]
    ]
    without = _LITERAL.sub("", action)
    if not _QUERY.search(without):
        return
    # A number's format is not a query.
    queries = [text for text in literals if re.search(r"[a-zA-Z_]", text.replace(ANY, ""))]
    yield from queries or [ANY]


def _unquoted(literal: str) -> str:
    if literal.startswith("`"):
        return literal[1:-1]
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal[1:-1]
