"""Alertmanager's way with an alert, by its documentation: which receivers get it, what holds it
back.

Of an alert, only the labels of its rule and those of the server are known before it fires. A
matcher on any other label may match or not: the answers are yes, no and maybe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from typing import Any

_MATCHER = re.compile(
    r'\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*|"(?:\\.|[^"\\])*")\s*(?P<sign>=~|!~|!=|=)\s*'
    r'(?P<value>"(?:\\.|[^"\\])*"|[^",{}]*?)\s*(?:,|$)'
)
# Alertmanager's own, where no route says another.
_DEFAULT_TIMING = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
_TIMING = tuple(_DEFAULT_TIMING)
_INHERITED = ("receiver", "group_by", *_TIMING)
_TEMPLATE = "{{"


class Ternary(IntEnum):
    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True)
class Matcher:
    """Matcher; `sign` is empty if it cannot be parsed and may match anything."""

    name: str
    sign: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> Ternary:
        if self.name not in labels or not self.sign:
            return Ternary.MAYBE
        found = labels[self.name]
        if self.sign in ("=", "!="):
            equal = found == self.value
        else:
            try:
                equal = re.fullmatch(self.value, found) is not None
            except re.error:
                return Ternary.MAYBE
        return Ternary.YES if equal is (self.sign in ("=", "=~")) else Ternary.NO


@dataclass(frozen=True)
class Delivery:
    """Delivery of an alert by a route; not `certain` if an unknown label decides."""

    receiver: str
    certain: bool
    timing: Mapping[str, Any] = field(default_factory=dict)
    muted: tuple[str, ...] = ()


@dataclass(frozen=True)
class InhibitedBy:
    """Inhibition: while `source` fires, `target` may be inhibited."""

    source: str
    target: str


def known_labels(
    name: str, labels: Mapping[str, str], external: Mapping[str, str]
) -> dict[str, str]:
    """Return the known labels of an alert; the rule's labels override external ones."""
    own = {key: value for key, value in labels.items() if _TEMPLATE not in value}
    others = {key: value for key, value in external.items() if key not in labels}
    return {**others, **own, "alertname": name}


def deliveries(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[Delivery]:
    """Return the deliveries of an alert by a `route`, without duplicates."""
    found = _deliveries(route, labels, {}, Ternary.YES)
    return list({repr(one): one for one in found}.values())


def _deliveries(
    route: Mapping[str, Any], labels: Mapping[str, str], above: Mapping[str, Any], here: Ternary
) -> Iterator[Delivery]:
    """Walk the routes; `here` is whether the alert matches this one."""
    own = {**above, **{key: route[key] for key in _INHERITED if key in route}}
    # Whether the next child is asked, and whether none of them took the alert.
    asked = alone = here
    for child in route.get("routes") or ():
        matched = all_match(matchers_of(child), labels)
        if matched is Ternary.NO or asked is Ternary.NO:
            continue
        yield from _deliveries(child, labels, own, min(asked, matched))
        doubt = Ternary.NO if matched is Ternary.YES else Ternary.MAYBE
        alone = min(alone, doubt)
        if not child.get("continue"):
            asked = min(asked, doubt)
    if alone is not Ternary.NO:
        timing = {key: own.get(key, _DEFAULT_TIMING[key]) for key in _TIMING}
        timing["group_by"] = sorted(map(str, own.get("group_by") or ()))
        muted = (*(route.get("mute_time_intervals") or ()), *_outside(route))
        yield Delivery(str(own.get("receiver", "")), alone is Ternary.YES, timing, muted)


def _outside(route: Mapping[str, Any]) -> list[str]:
    return [f"outside {name}" for name in route.get("active_time_intervals") or ()]


def matchers_of(route: Mapping[str, Any], prefix: str = "") -> list[Matcher]:
    """Return the matchers of a route or inhibition side (`prefix` source_ or target_)."""
    found = [Matcher(str(k), "=", str(v)) for k, v in (route.get(f"{prefix}match") or {}).items()]
    found += [
        Matcher(str(k), "=~", str(v)) for k, v in (route.get(f"{prefix}match_re") or {}).items()
    ]
    for text in route.get(f"{prefix}matchers") or ():
        found += _parsed(str(text))
    return found


# Every alert is matched against every route.
@cache
def _parsed(text: str) -> list[Matcher]:
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1]
    found: list[Matcher] = []
    at = 0
    while at < len(rest):
        match = _MATCHER.match(rest, at)
        if match is None:
            return [*found, Matcher(text, "", "")]
        found.append(Matcher(_unquoted(match["name"]), match["sign"], _unquoted(match["value"])))
        at = match.end()
    return found


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"':
        return text
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text[1:-1])


def all_match(matchers: list[Matcher], labels: Mapping[str, str]) -> Ternary:
    return min((matcher.matches(labels) for matcher in matchers), default=Ternary.YES)


def holds(inhibitions: list[Any], alerts: Mapping[str, list[dict[str, str]]]) -> set[InhibitedBy]:
    """Which alerts may be held back by which, `alerts` being known labels by name.

    An alert that is on both sides of an inhibition is not held back by another that is.
    """
    found = set()
    for rule in inhibitions:
        sources, targets = matchers_of(rule, "source_"), matchers_of(rule, "target_")
        equal = rule.get("equal") or ()
        kinds = [(name, labels) for name, found_kinds in alerts.items() for labels in found_kinds]
        matched = [
            (*kind, all_match(sources, kind[1]), all_match(targets, kind[1])) for kind in kinds
        ]
        possible = [one for one in matched if one[3] is not Ternary.NO]
        for source_name, source, as_source, also_target in matched:
            if as_source is Ternary.NO:
                continue
            for target_name, target, also_source, _ in possible:
                both = also_target is Ternary.YES and also_source is Ternary.YES
                if not both and _agree(source, target, equal):
                    found.add(InhibitedBy(source_name, target_name))
    return found


def _agree(source: Mapping[str, str], target: Mapping[str, str], equal: Any) -> bool:
    """Return whether the `equal` labels may be equal."""
    return all(
        source[label] == target[label] for label in equal if label in source and label in target
    )
