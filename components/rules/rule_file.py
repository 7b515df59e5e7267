"""Reads the text of a Prometheus rule file: its rules, and where in the text their parts are.

A stack's own values are put into the text at their place: comments are for readers too, and a
difference between two stacks is then the lines that differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import yaml

from components.common.yaml_text import LOADER

# `|`, or `>-`, up to the block's first word.
_BLOCK: Final = re.compile(r"[|>][-+0-9]*[ ]*\n\s*")
# An alert's expression ends with its comparison: `100 * job:...:ratio_rate5m > 5`.
TRAILING_NUMBER: Final = re.compile(
    r"(?P<sign>[<>])=?\s*(?P<value>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*$"
)


class RuleFileError(ValueError):
    """The text is YAML, but not a rule file; the message says why."""


class Span(NamedTuple):
    """From one offset in a text to another, in characters."""

    start: int
    end: int


class Edit(NamedTuple):
    """A span and the text to put in its place."""

    span: Span
    text: str


class Threshold(NamedTuple):
    """The number that an expression ends with, in the expression's unit."""

    value: float
    fires_below: bool


@dataclass(frozen=True)
class Rule:
    """A rule. `content` is empty where the entry is not a mapping; `title` names it in messages."""

    content: Mapping[str, Any]
    title: str
    text: str = field(repr=False)
    node: yaml.Node = field(repr=False)

    def name(self, kind: str) -> str | None:
        """Return the name of the alert (`alert`) or of the recorded metric (`record`)."""
        name = self.content.get(kind)
        return name if isinstance(name, str) and name else None

    def part(self, key: str) -> dict[str, Any]:
        """Return the labels or annotations; empty where they are missing or not a mapping."""
        part = self.content.get(key)
        return part if isinstance(part, dict) else {}

    def span(self, *keys: str) -> Span | None:
        """Return where the value below these keys is."""
        node = self._value(*keys)
        return None if node is None else Span(node.start_mark.index, node.end_mark.index)

    def entry_before(self, key: str, entry: str) -> Edit | None:
        """Return how an entry becomes the first of the mapping below a key; None without one."""
        node = self._value(key)
        if not isinstance(node, yaml.MappingNode) or not node.value:
            return None
        mark = node.value[0][0].start_mark
        after = ", " if node.flow_style else f"\n{' ' * mark.column}"
        return Edit(Span(mark.index, mark.index), f"{entry}{after}")

    def key_mark(self, key: str) -> Any:
        """Return where a key of the rule starts. Raises KeyError."""
        for found, _ in self.node.value if isinstance(self.node, yaml.MappingNode) else ():
            if found.value == key:
                return found.start_mark
        raise KeyError(key)

    @property
    def threshold(self) -> Threshold | None:
        """Return the number that the expression is compared with at its end, if there is one."""
        span = self.span("expr")
        found = TRAILING_NUMBER.search(self.text[span.start : span.end]) if span else None
        return found and Threshold(float(found["value"]), found["sign"] == "<")

    @property
    def expression(self) -> Span:
        """Return where the expression is, without the mark of a block. Raises KeyError."""
        span = self.span("expr")
        if span is None:
            raise KeyError("expr")
        block = _BLOCK.match(self.text, span.start)
        return Span(block.end() if block else span.start, span.end)

    @property
    def lines(self) -> Span:
        """Return the rule's lines, with the comment above and one empty line before."""
        text = self.text
        start = text.rindex("\n", 0, self.node.start_mark.index) + 1
        while (above := _line_before(text, start)).strip().startswith("#"):
            start -= len(above)
        if above and not above.strip():
            start -= len(above)
        last = len(text[: _end_of_leaves(self.node)].rstrip())
        end = text.find("\n", last)
        return Span(start, len(text) if end < 0 else end + 1)

    def _value(self, *keys: str) -> yaml.Node | None:
        node: yaml.Node | None = self.node
        for key in keys:
            node = _entries(node).get(key)
        return node


@dataclass(frozen=True)
class Group:
    """A group with its own settings, such as its interval; `content` has its rules too."""

    name: str
    content: Mapping[str, Any]
    rules: tuple[Rule, ...]

    @property
    def settings(self) -> dict[str, Any]:
        return {key: value for key, value in self.content.items() if key not in ("name", "rules")}


@dataclass(frozen=True)
class RuleFile:
    """The text of a rule file and what is in it."""

    text: str = field(repr=False)
    groups: tuple[Group, ...]

    @property
    def rules(self) -> Iterator[Rule]:
        return (rule for group in self.groups for rule in group.rules)


@cache
def parse(text: str) -> RuleFile:
    """Parse a rule file. The same text is parsed once in a process.

    Raises yaml.YAMLError, and RuleFileError where a part has another type than a rule file's. Empty
    parts are no error, and whether expressions are right is for promtool to say.
    """
    root = yaml.compose(text, Loader=LOADER)
    if root is None:
        return RuleFile(text, ())
    try:
        content = yaml.constructor.SafeConstructor().construct_document(root)
    except ValueError as error:  # A date such as 2026-99-99.
        raise RuleFileError(f"has a value that cannot be read: {error}") from None
    groups = content.get("groups", []) if isinstance(content, dict) else None
    if groups is None or not isinstance(groups, list):
        raise RuleFileError("has no list `groups`")
    nodes = _entries(root)["groups"].value if groups else ()
    return RuleFile(
        text,
        tuple(
            _group(text, number, *found)
            for number, found in enumerate(zip(groups, nodes, strict=True), start=1)
        ),
    )


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with each span replaced; the spans do not overlap."""
    for (start, end), replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _group(text: str, number: int, content: Any, node: yaml.Node) -> Group:
    rules = (content.get("rules") or []) if isinstance(content, dict) else None
    if not isinstance(rules, list):
        raise RuleFileError(f"its group {number} has no list `rules`")
    name = str(content.get("name", number))
    nodes = _entries(node)["rules"].value if rules else ()
    return Group(
        name,
        content,
        tuple(
            Rule(
                found if isinstance(found, dict) else {},
                f"rule {position} of group {name}",
                text,
                node,
            )
            for position, (found, node) in enumerate(zip(rules, nodes, strict=True), start=1)
        ),
    )


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value}


def _line_before(text: str, start: int) -> str:
    return text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]


def _end_of_leaves(node: yaml.Node) -> int:
    """A mapping's own end is the start of what follows it, comments included."""
    if isinstance(node, yaml.MappingNode):
        return max(_end_of_leaves(value) for _, value in node.value)
    return int(node.end_mark.index)
