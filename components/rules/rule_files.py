"""The rule files of `rules/`, as Prometheus gets them, and where in their text an alert stands.

A stack's own values are put into the text at their place: comments are for readers too, and a
difference between two stacks is then the lines that differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

THANOS_FILE = "thanos.yml"
RULES_DIR = Path(__file__).resolve().parents[2] / "rules"

# An alert's expression ends with its comparison: `100 * job:...:ratio_rate5m > 5`.
TRAILING_BOUND = re.compile(
    r"(?P<sign>[<>])=?\s*(?P<value>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*$"
)


class Span(NamedTuple):
    """From one offset in a text to another, in characters."""

    start: int
    end: int


class Edit(NamedTuple):
    span: Span
    text: str


@dataclass(frozen=True)
class Bound:
    """The number that an alert's expression ends with, and where it stands."""

    value: float
    fires_below: bool
    span: Span


@dataclass(frozen=True)
class Alert:
    """An alert of a rule file. `whole` is its lines with the comment right above them.

    `delay` is where the value of `for` stands; where there is none, `labels` is where one goes.
    """

    name: str
    expr: str
    severity: str
    bound: Bound | None
    whole: Span
    delay: Span | None
    severity_span: Span
    labels: Span
    column: int


def load(*, thanos: bool = False) -> dict[str, str]:
    """The text of every rule file by its name, as it stands; `thanos`: also that of who has it."""
    found = {path.name: path.read_text("utf-8") for path in sorted(RULES_DIR.glob("*.yml"))}
    return {name: text for name, text in found.items() if thanos or name != THANOS_FILE}


def shipped_alerts() -> dict[str, Alert]:
    """The alerts of all files by name."""
    texts = load(thanos=True).values()
    return {alert.name: alert for text in texts for alert in alerts_of(text).values()}


@cache
def alerts_of(text: str) -> Mapping[str, Alert]:
    """The alerts of one file's text by name."""
    return MappingProxyType(
        {name: _alert(text, name, rule) for rule in _rules(text) if (name := _name_of(rule))}
    )


def alert_names(text: str) -> Iterator[str]:
    """The alerts of one file's text, also of one that promtool will have something to say of."""
    return (name for rule in _rules(text) if (name := _name_of(rule)))


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with each span replaced; the spans do not overlap."""
    for (start, end), replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _rules(text: str) -> Iterator[yaml.MappingNode]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for group in _entries(root)["groups"].value:
        yield from _entries(group)["rules"].value


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if node is not None else {}


def _name_of(rule: yaml.MappingNode) -> str | None:
    node = _entries(rule).get("alert")
    return None if node is None else str(node.value)


def _alert(text: str, name: str, rule: yaml.MappingNode) -> Alert:
    entries = _entries(rule)
    severity = _entries(entries["labels"])["severity"]
    labels_key = next(key for key, _ in rule.value if key.value == "labels")
    return Alert(
        name=name,
        expr=str(entries["expr"].value).strip(),
        severity=str(severity.value),
        bound=_bound(text, entries["expr"]),
        whole=_whole(text, rule),
        delay=_span(entries["for"]) if "for" in entries else None,
        severity_span=_span(severity),
        labels=Span(labels_key.start_mark.index, labels_key.start_mark.index),
        column=labels_key.start_mark.column,
    )


def _span(node: yaml.Node) -> Span:
    return Span(node.start_mark.index, node.end_mark.index)


def _bound(text: str, expr: yaml.Node) -> Bound | None:
    start, end = _span(expr)
    found = TRAILING_BOUND.search(text[start:end])
    if found is None:
        return None
    return Bound(
        value=float(found["value"]),
        fires_below=found["sign"] == "<",
        span=Span(start + found.start("value"), start + found.end("value")),
    )


def _whole(text: str, rule: yaml.MappingNode) -> Span:
    """With the comment above and one empty line before, and up to the end of the last line."""
    start = text.rindex("\n", 0, rule.start_mark.index) + 1
    while (above := _line_before(text, start)).strip().startswith("#"):
        start -= len(above)
    if above and not above.strip():
        start -= len(above)
    last = len(text[: _end_of_leaves(rule)].rstrip())
    end = text.find("\n", last)
    return Span(start, len(text) if end < 0 else end + 1)


def _line_before(text: str, start: int) -> str:
    return text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]


def _end_of_leaves(node: yaml.Node) -> int:
    """A mapping's own end is the start of what follows it, comments included."""
    if isinstance(node, yaml.MappingNode):
        return max(_end_of_leaves(value) for _, value in node.value)
    return int(node.end_mark.index)
