"""A test group of a case has the series that make it one: a name alone proves nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.promql.metrics import read_by
from tests import yaml_text
from tests.each import for_each
from tests.rules.rule_files import ALERTS, TEST_FILES, rules_of

# `0+6x40`, `1x5`, `_x12`, `stale`, as promtool has them.
_PART = re.compile(r"(?P<value>_|stale|[-+\d.e]+?)(?P<step>[-+][\d.]+)?(?:x(?P<times>\d+))?")
RECORDED = {rule["record"]: rule["expr"] for rule in rules_of() if "record" in rule}
STALE = "stale"


@dataclass(frozen=True)
class Series:
    """Series of a test's input; None is a missing sample."""

    name: str
    labels: str
    values: tuple[float | str | None, ...]

    @property
    def numbers(self) -> list[float]:
        return [value for value in self.values if isinstance(value, float)]

    @property
    def falls(self) -> bool:
        return any(later < earlier for earlier, later in itertools.pairwise(self.numbers))

    @property
    def begins_high(self) -> bool:
        return bool(self.numbers) and self.numbers[0] > 0

    @property
    def ends(self) -> bool:
        return STALE in self.values

    @property
    def is_down(self) -> bool:
        return self.name == "up" and 0 in self.values


@dataclass(frozen=True)
class Given:
    """A group with one of its cases: what it gives, and what the alerts of its name read."""

    name: str
    case: str
    series: tuple[Series, ...]
    reads: frozenset[str]

    @property
    def names(self) -> set[str]:
        return {one.name for one in self.series}


def _values(text: str) -> tuple[float | str | None, ...]:
    found: list[float | str | None] = []
    for part in text.split():
        match = _PART.fullmatch(part)
        assert match, part
        times = int(match["times"] or 0)
        if match["value"] == "_":
            found += [None] * (times or 1)
        elif match["value"] == STALE:
            found.append(STALE)
        else:
            start, step = float(match["value"]), float(match["step"] or 0)
            found += [start + step * number for number in range(times + 1)]
    return tuple(found)


def _series(entry: dict[str, Any]) -> Series:
    name, _, labels = entry["series"].partition("{")
    return Series(name, labels, _values(str(entry["values"])))


def _read(expr: str) -> set[str]:
    """What is scraped for it. A rule that records what it is given reads its own name."""
    found: set[str] = set()
    for name in read_by(expr).names:
        found |= _read(RECORDED[name]) or {name} if name in RECORDED else {name}
    return found


def _given() -> list[Given]:
    found = []
    for file in TEST_FILES:
        for test in yaml_text.load(file.read_text())["tests"]:
            names, _, cases = test["name"].partition(": ")
            if names == "records":
                continue
            reads = frozenset().union(*(_read(ALERTS[name]["expr"]) for name in names.split(", ")))
            series = tuple(map(_series, test.get("input_series", [])))
            found += [Given(test["name"], case, series, reads) for case in cases.split(", ")]
    return found


def _is_another(one: Series, other: Series) -> bool:
    """The same by other labels, or, as of a new exporter, by another name when the first ends."""
    if one.name == other.name:
        return one.labels != other.labels
    return one.ends and other.values[0] is None


MADE_OF: dict[str, Callable[[Given], bool]] = {
    # Never there, or there no more.
    "series_absent": lambda given: (
        not given.reads
        or bool(given.reads - given.names)
        or any(one.ends for one in given.series if one.name in given.reads)
    ),
    "exporter_dead": lambda given: any(one.is_down or one.ends for one in given.series),
    "counter_reset": lambda given: any(one.falls for one in given.series),
    "born_high": lambda given: any(one.begins_high for one in given.series),
    "label_change": lambda given: any(
        _is_another(one, other) for one, other in itertools.permutations(given.series, 2)
    ),
    "no_limit": lambda given: any(0 in one.values for one in given.series),
}
"""What a group of a case must have among its series."""
GIVEN = [given for given in _given() if given.case in MADE_OF]


@for_each("given", GIVEN, lambda given: f"{given.name} ({given.case})")
def test_a_group_has_the_series_of_its_case(given: Given) -> None:
    assert MADE_OF[given.case](given)


def test_every_case_is_looked_at_in_several_groups() -> None:
    seen = [given.case for given in GIVEN]
    assert [case for case in MADE_OF if seen.count(case) < 2] == []
