"""What an alert leaves out by the value of a label: the override `exclude`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from components.common.problems import Problem
from components.promql.metrics import UnknownMetricsError, check_pattern

# What ends a plain scalar in YAML, and what ends a string in PromQL.
_UNSAFE: Final = re.compile(r'["\\#\x00-\x1f\x7f]|:(?=\s|$)')
# A value may have a brace in it.
_GIVEN_MATCHERS: Final = r'\s*\{(?:[^"}]|"(?:\\.|[^"\\])*")*\}'
_ANY_VALUES: Final = ("", "/any value: at all")


@dataclass(frozen=True)
class Selected:
    """The metric whose selectors get the matchers, and the labels that it has.

    `record` is the recorded series whose expression has the selectors, where it is not the
    alert's: of the labels that are aggregated away there. `info` is another metric of the same
    target that has the further labels `info_labels`.
    """

    metric: str
    own_labels: tuple[str, ...]
    record: str = ""
    info: str = ""
    info_labels: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that can be excluded by."""
        return (*self.own_labels, *self.info_labels)


_OF_DISK: Final = ("mountpoint", "device", "fstype", "instance")


def _disk(metric: str) -> Selected:
    return Selected(metric, _OF_DISK)


SELECTED: Final[Mapping[str, Selected]] = {
    "PostgreSQLSlowQueries": Selected(
        "pg_stat_activity_max_tx_duration",
        ("usename", "application_name", "datname", "instance"),
        "instance:pg_transaction_age_seconds:max",
    ),
    "DiskSpaceLow": _disk("instance_mountpoint:node_filesystem_available:ratio"),
    "DiskSpaceCritical": _disk("instance_mountpoint:node_filesystem_available:ratio"),
    "DiskFullSoon": _disk("instance_mountpoint:node_filesystem_full_in:hours"),
    "InodesLow": _disk("instance_mountpoint:node_filesystem_files_free:ratio"),
    "InodesExhausted": _disk("instance_mountpoint:node_filesystem_files_free:ratio"),
    "FilesystemReadOnly": _disk("node_filesystem_readonly"),
    "FilesystemUnreadable": _disk("node_filesystem_device_error"),
    # A cache that evicts any key (allkeys-.+) is full by design.
    "RedisHighMemoryUsage": Selected(
        "instance:redis_memory_used:ratio",
        ("instance",),
        info="redis_instance_info",
        info_labels=("maxmemory_policy",),
    ),
}
"""The alerts that can leave something out, by name."""


def _pattern(text: str) -> str:
    try:
        check_pattern(text)
    except UnknownMetricsError:
        raise ValueError("is neither a value nor a regular expression of values") from None
    everything = False
    with contextlib.suppress(re.error):  # RE2 has forms of its own.
        everything = any(re.fullmatch(text, value) for value in _ANY_VALUES)
    if everything:
        raise ValueError("matches every value: to silence an alert, set enabled to false")
    return text


Excluded = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(min_length=1)]
"""Values of a label, or regular expressions (RE2) that match whole values."""


def problems(alert: str, exclude: Mapping[str, Excluded]) -> Iterator[Problem]:
    """Yield the labels that the alert's selectors do not have."""
    selected = SELECTED.get(alert)
    if selected is None:
        known = "; ".join(f"{name} ({', '.join(own.labels)})" for name, own in SELECTED.items())
        text = f"is unknown here: {alert} has nothing to leave out; those that have: {known}"
        yield Problem((alert, "exclude"), text, remove=True)
        return
    for label in exclude:
        if label not in selected.labels:
            labels = ", ".join(selected.labels)
            text = f"is a label that {alert} cannot be narrowed by; it has {labels}"
            yield Problem((alert, "exclude", label), text, remove=True)


def narrowed(expr: str, selected: Selected, exclude: Mapping[str, Excluded]) -> str:
    """Return an expression whose selectors of the metric leave the values out."""
    own = {label: values for label, values in exclude.items() if label in selected.own_labels}
    of_info = {label: values for label, values in exclude.items() if label in selected.info_labels}
    left_out = f"{selected.info}{{{_matchers(of_info, '=~')}}}"
    unless = f" unless on (job, instance) {left_out}" if of_info else ""

    def rewritten(found: re.Match[str]) -> str:
        given = (found["given"] or "").strip()[1:-1]
        inner = ",".join(part for part in (_matchers(own, "!~"), given) if part)
        selector = f"{selected.metric}{{{inner}}}" if inner else selected.metric
        return f"({selector}{unless})" if unless else selector

    return re.sub(
        rf"(?<![\w:]){re.escape(selected.metric)}(?![\w:])(?P<given>{_GIVEN_MATCHERS})?",
        rewritten,
        expr,
    )


def _matchers(exclude: Mapping[str, Excluded], operator: str) -> str:
    """Return the matchers of these values, or of none of them."""
    return ",".join(
        f'{label}{operator}"{_UNSAFE.sub(_escaped, "|".join(values))}"'
        for label, values in exclude.items()
    )


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\x{ord(character):02x}"
