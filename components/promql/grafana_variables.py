"""PromQL expressions of dashboards, with Grafana's variables not yet filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, product
from typing import Final

from components.promql.metrics import (
    ANY,
    Metrics,
    UnknownMetricsError,
    parsed,
    read_by,
)

# `$name`, `${name}`, `${name:format}`, `[[name]]`, as Grafana's own expression has them.
_VARIABLE: Final = r"\$(?P<plain>\w+)|\$\{(?P<braces>\w+)[^}]*\}|\[\[(?P<legacy>\w+)(?::\w+)?\]\]"
_TOKEN: Final = re.compile(
    rf"(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>#[^\n]*)"
    rf"|{_VARIABLE}|(?P<bracket>[\[\]])",
    re.DOTALL,
)
_DURATION_FOLLOWS: Final = re.compile(r"\boffset\s*-?\s*$")
_TIME_FOLLOWS: Final = re.compile(r"@\s*$")
_OPEN: Final = re.compile(r"\0(\w+)\0")
# Written queries have a handful; more would take too many attempts.
_MOST_OPEN: Final = 6
_MOST_CHOICES: Final = 200


def read_by_query(query: str, choices: Mapping[str, Sequence[str]]) -> Metrics:
    """Return the metrics that an expression reads for any values of its variables.

    `choices` are the values of the variables that can have no others. Raises UnknownMetricsError.
    """
    text = _with_open_places(query)
    names = list(dict.fromkeys(_OPEN.findall(text)))
    known = [name for name in names if name in choices]
    unknown = [name for name in names if name not in choices]
    settings = list(islice(product(*(choices[name] for name in known)), _MOST_CHOICES + 1))
    if len(settings) > _MOST_CHOICES or len(unknown) > _MOST_OPEN:
        raise UnknownMetricsError("has too many variables outside of quotes")
    found = Metrics()
    for values in settings:
        found |= _read(_filled(text, dict(zip(known, values, strict=True))), unknown)
    return found


def in_strings(text: str) -> str:
    """Return a regular expression's or a name's text with `ANY` for every variable."""
    return re.sub(_VARIABLE, ANY, text)


def _read(text: str, unknown: Sequence[str]) -> Metrics:
    """Parse with each open place as a part of a name, or as a number where only that fits."""
    failure: UnknownMetricsError | None = None
    for expression in _attempts(text, unknown):
        try:
            parsed(expression)
        except UnknownMetricsError as error:
            failure = failure or error
        else:
            return read_by(expression)
    assert failure is not None
    raise failure


def _attempts(text: str, unknown: Sequence[str]) -> Iterator[str]:
    """Yield assignments with the fewest numbers first: a metric taken for a number is missed."""
    for count in range(len(unknown) + 1):
        for numbers in combinations(unknown, count):
            yield _filled(text, {name: "1" if name in numbers else ANY for name in unknown})


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _OPEN.sub(lambda found: values.get(found[1], found[0]), text)


def _with_open_places(query: str) -> str:
    """Fill in variables in strings, durations and times; mark the others with NULs."""
    parts: list[str] = []
    depth, end = 0, 0
    for token in _TOKEN.finditer(query):
        parts.append(query[end : token.start()])
        end = token.end()
        if token["bracket"]:
            depth += 1 if token[0] == "[" else -1
        parts.append(_replacement(token, "".join(parts), query[end : end + 1], depth > 0))
    return "".join((*parts, query[end:]))


def _replacement(token: re.Match[str], before: str, after: str, in_range: bool) -> str:
    if token["string"]:
        return in_strings(token[0])
    name = token["plain"] or token["braces"] or token["legacy"]
    if name is None:
        return "" if token["comment"] else token[0]
    if in_range or _DURATION_FOLLOWS.search(before):
        # `[${__range_s}s]` has its unit outside.
        return "1" if after.isalpha() else "1m"
    # Grafana's own are numbers wherever they are no durations.
    if name.startswith("__") or _TIME_FOLLOWS.search(before):
        return "1"
    return f"\0{name}\0"
