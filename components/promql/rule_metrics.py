"""What a rule file asks of Prometheus: the expressions of its rules and their alerts' templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from components.promql.metrics import (
    ANY,
    Metrics,
    UnknownMetricsError,
    read_by,
)

# libyaml's parser where PyYAML has it: every `pulumi up` reads the rules.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ACTION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_QUERY: Final = re.compile(r"\bquery\b")
# The strings of an action, but for the names of labels that `label` and `sortByLabel` take.
_LITERAL: Final = re.compile(
    r"(?P<label>\b(?:label|sortByLabel)\s+)?(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)"
)
_VERB: Final = re.compile(r"%[-+# 0]*[\d.]*[a-zA-Z%]")


@dataclass(frozen=True)
class RuleFile:
    """The names that the rules of a file record, and the metrics that they read."""

    recorded: frozenset[str]
    reads: Metrics


def read(text: str) -> RuleFile:
    """Raises UnknownMetricsError, which names the rule."""
    recorded: set[str] = set()
    reads = Metrics()
    for group in yaml.load(text, Loader=_LOADER)["groups"]:
        for rule in group.get("rules") or []:
            name = rule.get("record") or rule.get("alert")
            if "record" in rule:
                recorded.add(name)
            for expression in _expressions(rule):
                try:
                    reads |= read_by(expression)
                except UnknownMetricsError as error:
                    shown = expression.replace(ANY, "...")
                    raise UnknownMetricsError(f"{name}: `{shown}` {error}") from None
    return RuleFile(frozenset(recorded), reads)


def _expressions(rule: dict[str, Any]) -> Iterator[str]:
    yield str(rule["expr"])
    for part in ("labels", "annotations"):
        for template in (rule.get(part) or {}).values():
            for action in _ACTION.findall(str(template)):
                yield from _of_action(action)


def _of_action(action: str) -> Iterator[str]:
    """The queries of a template's action; where they are not in it, one that names no metric."""
    literals = [
        _VERB.sub(ANY, _unquoted(found["text"]))
        for found in _LITERAL.finditer(action)
        if not found["label"]
    ]
    without = _LITERAL.sub("", action)
    if not _QUERY.search(without):
        return
    # What is only a number's format is no query.
    queries = [text for text in literals if re.search(r"[a-zA-Z_]", text.replace(ANY, ""))]
    yield from queries or [ANY]


def _unquoted(literal: str) -> str:
    if literal.startswith("`"):
        return literal[1:-1]
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal[1:-1]
