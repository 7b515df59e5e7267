"""Metrics that a PromQL expression reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, cast

import promql_parser
from promql_parser import MatchOp, VectorSelector

ANY: Final = "__vitalstream_any__"
"""Placeholder in a metric's name for text that is known only when the query runs."""

_ANYTHING: Final = frozenset(("", ".*", ".+", "(.*)", "(.+)"))
# promql-parser 0.12 refuses backslashes in backquotes, where they are literal.
_STRING: Final = re.compile(
    r'#[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`(?P<raw>[^`]*)`', re.DOTALL
)


class UnknownMetricsError(ValueError):
    """Expression whose metrics cannot be determined; the message says why."""


@dataclass(frozen=True)
class Metrics:
    """Metrics by name, and by regular expressions (RE2) that match whole names."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()

    def __or__(self, other: Metrics) -> Metrics:
        return Metrics(self.names | other.names, self.patterns | other.patterns)


def read_by(expression: str) -> Metrics:
    """Return the metrics that an expression's selectors name. Raises UnknownMetricsError."""
    found = Metrics()
    for node in _nodes(parsed(expression)):
        if isinstance(node, VectorSelector):
            found |= _named_by(node)
        elif isinstance(node, promql_parser.Call) and node.func.name == "info":
            # The metrics that it joins are not named in the expression.
            found |= Metrics(frozenset(("target_info",)))
    return found


def parsed(expression: str) -> promql_parser.Expr:
    """Parse an expression. Raises UnknownMetricsError."""
    try:
        return promql_parser.parse(_STRING.sub(_quoted, expression))
    except ValueError as error:
        raise UnknownMetricsError(f"cannot be parsed: {error}") from None


def check_pattern(pattern: str) -> None:
    """Raise UnknownMetricsError where Prometheus would not accept the regular expression."""
    parsed(f"up{{pattern=~{json.dumps(pattern)}}}")


def _quoted(found: re.Match[str]) -> str:
    raw = found["raw"]
    return found[0] if raw is None else json.dumps(raw, ensure_ascii=False)


def _nodes(expression: promql_parser.Expr) -> list[Any]:
    found: list[Any] = []
    # `append` returns None, which goes on.
    visit = cast("Callable[[promql_parser.Expr], bool | None]", found.append)
    promql_parser.walk(expression, visit)
    return found


def _named_by(selector: VectorSelector) -> Metrics:
    """Return the metrics of one matcher on the name: further matchers only narrow it."""
    on_name = [found for found in selector.matchers.matchers if found.name == "__name__"]
    exact = [found.value for found in on_name if found.op == MatchOp.Equal]
    regular = [found.value for found in on_name if found.op == MatchOp.Re]
    name = selector.name or next(iter(exact), "")
    pattern = next(iter(regular), "").replace(ANY, ".*")
    if selector.matchers.or_matchers:
        raise UnknownMetricsError("has a selector with `or` between its matchers")
    if name.replace(ANY, ""):
        if ANY not in name:
            return Metrics(names=frozenset((name,)))
        return Metrics(patterns=frozenset((".*".join(map(re.escape, name.split(ANY))),)))
    if pattern not in _ANYTHING:
        return Metrics(patterns=frozenset((pattern,)))
    shown = str(selector).replace(ANY, "$...").replace("{}", "")
    raise UnknownMetricsError(f"reads whatever matches `{shown}`")


def read_of_job(expression: str, job: str) -> frozenset[str]:
    """Return the names of metrics that an expression reads and that may be of a job.

    A selector that names no job may mean any. Recorded names are left out: their labels say of
    which job they are, but they are not scraped. Raises UnknownMetricsError.
    """
    return frozenset(
        name
        for node in _nodes(parsed(expression))
        if isinstance(node, VectorSelector) and _admits(node, job)
        for name in _named_by(node).names
        if ":" not in name
    )


def unmet_job_matchers(expression: str, jobs: Collection[str]) -> frozenset[str]:
    """Return the matchers on `job` that none of the jobs meets. Raises UnknownMetricsError."""
    return frozenset(
        str(matcher).replace(" ", "")
        for node in _nodes(parsed(expression))
        if isinstance(node, VectorSelector) and not any(_admits(node, job) for job in jobs)
        for matcher in node.matchers.matchers
        if matcher.name == "job"
    )


def _admits(selector: VectorSelector, job: str) -> bool:
    for found in selector.matchers.matchers:
        if found.name != "job":
            continue
        if found.op in (MatchOp.Equal, MatchOp.NotEqual):
            same = found.value == job
        else:
            try:
                same = re.fullmatch(found.value, job) is not None
            except re.error:  # RE2 has forms of its own.
                return True
        if same != (found.op in (MatchOp.Equal, MatchOp.Re)):
            return False
    return True
