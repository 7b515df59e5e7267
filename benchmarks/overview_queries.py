"""Queries of the overview dashboard as Grafana sends them, on recorded and on raw series."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser
import yaml

from benchmarks.history import DAY_SECONDS, DAYS, STEP_SECONDS
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus

SCREEN_PIXELS = 1920
# Grafana's page padding, gap between panels, panel padding (pixels), and columns of its grid.
PAGE_PADDING, GAP, PANEL_PADDING, COLUMNS = 16, 8, 8, 24
# Grafana's `roundInterval`: upper limit of the wanted step, and the step that is used (seconds).
STEPS = (
    *((17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600)),
    *((1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16_200, 10_800)),
    *((32_400, 21_600), (86_400, 43_200), (604_800, 86_400)),
)
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Query:
    """One query of a panel or annotation; `step` in seconds, None for an instant query."""

    name: str
    recorded: str
    raw: str
    step: int | None

    @property
    def reads_recorded(self) -> bool:
        return self.recorded != self.raw


@dataclass(frozen=True)
class Answer:
    """`seconds` is the execution time reported by Prometheus, queueing included."""

    seconds: float
    series: list[dict[str, Any]]


def recording_rules(texts: Iterable[str]) -> dict[str, str]:
    """Return the expression of each recorded series, from the texts of rule files."""
    return {
        rule["record"]: str(rule["expr"])
        for text in texts
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def recorded_in(expression: str, rules: Mapping[str, str]) -> set[str]:
    """Return the recorded series that an expression reads."""
    found: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector) and node.name and node.name in rules:
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def expanded(expression: str, rules: Mapping[str, str]) -> str:
    """Replace every recorded series by its rule's expression, down to raw series.

    Raises BenchmarkError where a recorded series is read with a matcher, an offset or a range,
    which would have to move into the rule's expression.
    """

    def visit(node: promql_parser.Expr) -> promql_parser.Expr | None:
        if isinstance(node, promql_parser.VectorSelector) and node.name in rules:
            if str(node).replace("{}", "") != node.name:
                raise BenchmarkError(f"{node} in `{expression}` cannot be replaced by its rule")
            return promql_parser.parse(f"({expanded(rules[node.name], rules)})")
        if isinstance(node, promql_parser.MatrixSelector) and node.vector_selector.name in rules:
            raise BenchmarkError(f"{node} in `{expression}` cannot be replaced by its rule")
        return None

    parsed = promql_parser.parse(expression)
    made = str(promql_parser.transform(parsed, pre_visit=visit))
    try:
        promql_parser.parse(made)
    except ValueError as error:
        # The parser prints backslashes in strings unescaped.
        raise BenchmarkError(f"`{expression}` cannot be written out: {error}") from None
    return made


def queries(dashboard: str, rules: Mapping[str, str]) -> list[Query]:
    """Return all queries of a dashboard's JSON."""
    board = json.loads(dashboard)
    asked = [
        (panel["title"], target["expr"], target.get("instant"), _pixels(panel["gridPos"]["w"]))
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    # Grafana uses the window's width for annotations.
    asked += [
        (entry["name"], entry["target"]["expr"], False, SCREEN_PIXELS)
        for entry in board["annotations"]["list"]
    ]
    return [
        Query(
            name,
            expression,
            expanded(expression, rules) if recorded_in(expression, rules) else expression,
            None if instant else step(DAYS * DAY_SECONDS, pixels),
        )
        for name, expression, instant, pixels in asked
    ]


def step(seconds: float, points: int) -> int:
    """Return the step for at most `points` points, rounded as in Grafana; at least a scrape's."""
    wanted = max(seconds / points, STEP_SECONDS)
    return next((rounded for limit, rounded in STEPS if wanted <= limit), STEPS[-1][1])


def ask(prometheus: Prometheus, expression: str, at: int, every: int | None) -> Answer:
    """Evaluate an expression for the DAYS before `at`, aligned to the step as in Grafana."""
    if every is None:
        data = prometheus.ask("/api/v1/query", query=expression, time=at, stats="all")
    else:
        end, start = (moment // every * every for moment in (at, at - DAYS * DAY_SECONDS))
        window = {"start": start, "end": end, "step": every, "stats": "all"}
        data = prometheus.ask("/api/v1/query_range", query=expression, **window)
    return Answer(data["stats"]["timings"]["execTotalTime"], data["result"])


def difference(prometheus: Prometheus, query: Query, at: int) -> str:
    """Describe how the two answers to a query differ; empty where they do not."""
    recorded, raw = (
        _values(ask(prometheus, expression, at, query.step).series)
        for expression in (query.recorded, query.raw)
    )
    if set(recorded) != set(raw):
        return f"{query.name}: {len(recorded)} points recorded, {len(raw)} raw"
    for key, value in recorded.items():
        if not math.isclose(value, raw[key], rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return f"{query.name}: {value:g} recorded, {raw[key]:g} raw"
    return "" if recorded or not query.reads_recorded else f"{query.name}: no points"


def _values(series: list[dict[str, Any]]) -> dict[tuple[str, float], float]:
    return {
        (json.dumps(found["metric"], sort_keys=True), at): float(value)
        for found in series
        for at, value in found.get("values") or [found["value"]]
        if not math.isnan(float(value))
    }


def _pixels(columns: int) -> int:
    grid = SCREEN_PIXELS - 2 * PAGE_PADDING
    column = (grid - (COLUMNS - 1) * GAP) / COLUMNS
    return round(columns * column + (columns - 1) * GAP) - 2 * PANEL_PADDING
