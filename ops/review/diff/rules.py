"""Rule files read for what they mean, and the rules of two versions put side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import promql_parser
import yaml

from components.rules import rule_file
from components.rules.rule_file import Group
from ops.review.diff import promql

# What an alert or a recording rule is, beyond its name and expression.
_OWN_WORDS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Rule:
    """Rule of one version. `group_settings` are the group's own, such as its interval."""

    name: str
    is_alert: bool
    content: Mapping[str, Any]
    file: str
    group: str
    group_settings: Mapping[str, Any]

    @property
    def expr(self) -> str:
        return str(self.content.get("expr", ""))

    @property
    def delay(self) -> str:
        """`for` of an alert: the time before it fires, 0s if it is not set."""
        return str(self.content.get("for", "0s"))

    @property
    def hold(self) -> str:
        """`keep_firing_for` of an alert: the time it fires after its condition ends."""
        return str(self.content.get("keep_firing_for", "0s"))

    @property
    def labels(self) -> dict[str, str]:
        return _texts(self.content.get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        return _texts(self.content.get("annotations"))

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    @property
    def others(self) -> dict[str, Any]:
        """Fields that this module does not interpret."""
        return {key: value for key, value in self.content.items() if key not in _OWN_WORDS}

    @property
    def place(self) -> str:
        settings = ", ".join(
            f"{key} {json.dumps(value, sort_keys=True)}"
            for key, value in sorted(self.group_settings.items())
        )
        return f"{self.file}, group {self.group}" + (f" ({settings})" if settings else "")

    @cached_property
    def meaning(self) -> str:
        """Return a key that is equal for two rules with the same effect, whatever their place."""
        return json.dumps(
            [
                self.name, self.is_alert, repr(promql.canonical(self.expr)), seconds(self.delay),
                seconds(self.hold), self.labels, self.annotations, self.others,
            ],
            sort_keys=True,
            default=str,
        )  # fmt: skip


@dataclass(frozen=True)
class VersionRules:
    """Rules of one version. `groups` are the groups' own settings, by file and name."""

    rules: tuple[Rule, ...]
    groups: Mapping[tuple[str, str], Mapping[str, Any]]
    unreadable: Mapping[str, str]

    @property
    def alerts(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.is_alert]

    @property
    def records(self) -> list[Rule]:
        return [rule for rule in self.rules if not rule.is_alert]


def read(files: Mapping[str, str]) -> VersionRules:
    """Parse rule files by path; `unreadable` has the errors of those that are not rule files."""
    return _read(tuple(sorted(files.items())))


# Every section of a report reads both versions.
@lru_cache(maxsize=4)
def _read(files: tuple[tuple[str, str], ...]) -> VersionRules:
    rules: list[Rule] = []
    groups: dict[tuple[str, str], Mapping[str, Any]] = {}
    unreadable: dict[str, str] = {}
    for path, text in files:
        try:
            for group in rule_file.parse(text).groups:
                groups[path, group.name] = group.settings
                rules += [_rule(rule.content, path, group) for rule in group.rules]
        except (yaml.YAMLError, ValueError) as error:
            unreadable[path] = " ".join(str(error).split())
    return VersionRules(tuple(rules), groups, unreadable)


def same(old: str, new: str) -> bool:
    """Return whether two texts of a rule file differ only by comments, order and formatting."""
    before, after = read({"": old}), read({"": new})
    if before.unreadable or after.unreadable:
        return False
    return bool(_whole(before) == _whole(after))


def _whole(found: VersionRules) -> Any:
    return (
        sorted((rule.group, rule.meaning) for rule in found.rules),
        {
            at: json.dumps(dict(own), sort_keys=True, default=str)
            for at, own in found.groups.items()
        },
    )


def pairs(
    before: Iterable[Rule], after: Iterable[Rule]
) -> Iterator[tuple[Rule | None, Rule | None]]:
    """Rules by name; of several with one name, those that have most in common."""
    old, new = _by_name(before), _by_name(after)
    for name in sorted({*old, *new}):
        yield from matched(
            sorted(old.get(name, []), key=_order),
            sorted(new.get(name, []), key=_order),
            (
                lambda rule: (rule.meaning, rule.file, rule.group),
                lambda rule: rule.meaning,
                lambda rule: (rule.labels, rule.file, rule.group),
                lambda rule: rule.labels,
                lambda rule: rule.severity,
                lambda rule: (rule.file, rule.group),
                lambda rule: True,
            ),
        )


def matched(
    old: Sequence[Thing], new: Sequence[Thing], likenesses: Iterable[Callable[[Thing], Any]]
) -> Iterator[tuple[Thing | None, Thing | None]]:
    """Pair each old item with the first new one that matches, by one key after the other; the rest
    stay alone.
    """
    left, right = list(old), list(new)
    for likeness in likenesses:
        for one in list(left):
            other = next((two for two in right if likeness(two) == likeness(one)), None)
            if other is not None:
                left.remove(one)
                right.remove(other)
                yield one, other
    yield from ((one, None) for one in left)
    yield from ((None, other) for other in right)


def seconds(delay: str) -> float | None:
    """Return the seconds of a Prometheus duration, or None if it is not one."""
    try:
        return 0.0 if delay == "0" else promql_parser.parse_duration(delay).total_seconds()
    except ValueError:
        return None


def _by_name(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.name, []).append(rule)
    return found


def _order(rule: Rule) -> tuple[str, str, str]:
    return rule.meaning, rule.file, rule.group


def _rule(content: Mapping[str, Any], file: str, group: Group) -> Rule:
    if ("alert" in content) == ("record" in content):
        raise ValueError(f"a rule of group {group.name} is neither an alert nor a recording rule")
    for part in ("labels", "annotations"):
        if not isinstance(content.get(part) or {}, dict):
            raise ValueError(f"a rule of group {group.name} has {part} that are no mapping")
    is_alert = "alert" in content
    name = str(content["alert" if is_alert else "record"])
    return Rule(name, is_alert, content, file, group.name, group.settings)


def _texts(found: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (found or {}).items()}
