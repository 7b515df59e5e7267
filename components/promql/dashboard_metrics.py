"""Metrics that a dashboard reads in its panels, annotations and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from components.promql.grafana_variables import in_strings, read_by_query
from components.promql.metrics import (
    ANY,
    Metrics,
    UnknownMetricsError,
    check_pattern,
)

# Grafana's functions in the query of a variable; anything else there is a selector.
_LABEL_VALUES: Final = re.compile(r"label_values\((?:(?P<series>.+),)?\s*(?P<label>[^,\s]+)\s*\)")
_LABEL_NAMES: Final = re.compile(r"label_names\(.*\)")
_METRICS: Final = re.compile(r"metrics\(\s*(?P<pattern>.+?)\s*\)")
_QUERY_RESULT: Final = re.compile(r"query_result\((?P<expression>.+)\)", re.DOTALL)
# Every target has these labels on `up`, which is always kept.
_LABELS_OF_TARGETS: Final = frozenset(("instance", "job"))
# Grafana's "mixed" and "dashboard" data sources leave the choice to the query.
_OURS: Final = frozenset(("", "prometheus", "datasource"))

Reader = Callable[[str, Mapping[str, Sequence[str]]], Metrics]


@dataclass(frozen=True)
class _Place:
    """Place of a query, and the type of its data source where that is given."""

    words: str = "the dashboard"
    source: str = ""


@dataclass(frozen=True)
class _Query:
    text: str
    place: _Place
    read: Reader


def read_by_dashboard(text: str) -> Metrics:
    """Return the metrics that a dashboard's JSON reads from any data source that may be a
    Prometheus.

    Raises UnknownMetricsError, which names the panel, the variable or the annotation.
    """
    try:
        board = json.loads(text)
    except ValueError as error:
        raise UnknownMetricsError(f"is no JSON: {error}") from None
    choices = dict(_choices(board))
    found = Metrics()
    for query in _queries(board, _Place()):
        try:
            found |= query.read(query.text, choices)
        except UnknownMetricsError as error:
            raise UnknownMetricsError(f"{query.place.words}: `{query.text}` {error}") from None
    return found


def _queries(node: Any, place: _Place) -> Iterator[_Query]:
    if isinstance(node, list):
        for item in node:
            yield from _queries(item, place)
    if not isinstance(node, dict):
        return
    place = _at(node, place)
    if "elements" in node and "layout" in node:
        raise UnknownMetricsError("is not a classic dashboard, whose queries are understood here")
    if "libraryPanel" in node and "targets" not in node:
        raise UnknownMetricsError(f"{place.words} is a library panel, whose queries Grafana has")
    if place.source in _OURS and isinstance(node.get("expr"), str):
        yield _Query(node["expr"], place, read_by_query)
    for key, value in node.items():
        if key == "templating":
            yield from _of_variables(value)
        else:
            yield from _queries(value, place)


def _at(node: Mapping[str, Any], place: _Place) -> _Place:
    if isinstance(title := node.get("title"), str) and "type" in node:
        place = replace(place, words=f'panel "{title}"')
    elif isinstance(name := node.get("name"), str) and "enable" in node:
        place = replace(place, words=f'annotation "{name}"')
    source = node.get("datasource")
    if isinstance(source, dict):
        return replace(place, source=str(source.get("type") or ""))
    # A name alone does not say what it is.
    return replace(place, source="") if isinstance(source, str) else place


def _variables(node: Any) -> list[dict[str, Any]]:
    found = node.get("list") if isinstance(node, dict) else None
    return [entry for entry in found or [] if isinstance(entry, dict)]


def _of_variables(node: Any) -> Iterator[_Query]:
    for variable in _variables(node):
        place = _at(variable, _Place(f'variable "{variable.get("name")}"'))
        if variable.get("type") == "query" and place.source in _OURS:
            query = variable.get("query")
            text = query.get("query") if isinstance(query, dict) else query
            text = text or variable.get("definition")
            if isinstance(text, str):
                yield _Query(text, place, _read_by_variable)


def _choices(node: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return the values of the variables whose dashboard lists all of them."""
    if isinstance(node, list):
        for item in node:
            yield from _choices(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key != "templating":
                yield from _choices(value)
        for variable in _variables(node.get("templating")):
            query, name = variable.get("query"), str(variable.get("name"))
            if variable.get("type") == "constant" and isinstance(query, str):
                yield name, (query,)
            elif variable.get("type") == "custom" and not (
                variable.get("includeAll") or variable.get("multi")
            ):
                options = [option.get("value") for option in variable.get("options") or []]
                if options and all(isinstance(value, str) for value in options):
                    yield name, tuple(options)


def _read_by_variable(query: str, choices: Mapping[str, Sequence[str]]) -> Metrics:
    text = query.strip()
    if found := _LABEL_VALUES.fullmatch(text):
        if found["series"]:
            return read_by_query(found["series"], choices)
        if found["label"] in _LABELS_OF_TARGETS:
            return Metrics()
        raise UnknownMetricsError("asks every metric for the values of a label")
    if _LABEL_NAMES.fullmatch(text):
        raise UnknownMetricsError("asks every metric for its labels")
    if found := _METRICS.fullmatch(text):
        return _matching(found["pattern"])
    if found := _QUERY_RESULT.fullmatch(text):
        return read_by_query(found["expression"], choices)
    return read_by_query(text, choices) if text else Metrics()


def _matching(pattern: str) -> Metrics:
    """Return a pattern that matches anywhere in a name, as Grafana does."""
    inner = in_strings(pattern).replace(ANY, ".*")
    if inner in (".*", ".+"):
        raise UnknownMetricsError("asks for the names of all metrics")
    check_pattern(inner)
    return Metrics(patterns=frozenset((f".*({inner}).*",)))
