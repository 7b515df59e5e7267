"""What the overview asks of Prometheus, as Grafana asks it, through recorded and raw series."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.history import DAY_SECONDS, DAYS, STEP_SECONDS
from benchmarks.prometheus_containers import Prometheus
from benchmarks.raw_expressions import expanded, recorded_in

SCREEN_PIXELS = 1920
# Grafana's page, its gaps between panels and a panel's own padding, in pixels; its grid's columns.
PAGE_PADDING, GAP, PANEL_PADDING, COLUMNS = 16, 8, 8, 24
# Grafana's `roundInterval`: up to each number of seconds, the step that is asked for.
STEPS = (
    (17.5, 15),
    (25, 20),
    (45, 30),
    (90, 60),
    (210, 120),
    (450, 300),
    (750, 600),
    (1050, 900),
    (1500, 1200),
    (2700, 1800),
    (5400, 3600),
    (9000, 7200),
    (16_200, 10_800),
    (32_400, 21_600),
    (86_400, 43_200),
    (604_800, 86_400),
)
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Query:
    """One query of a panel or annotation; `step` in seconds, None for an instant one."""

    name: str
    recorded: str
    raw: str
    step: int | None

    @property
    def reads_recorded(self) -> bool:
        return self.recorded != self.raw


@dataclass(frozen=True)
class Answer:
    """`seconds` is what Prometheus says it took, the waiting for a free slot included."""

    seconds: float
    series: list[dict[str, Any]]


def queries(dashboard: str, rules: Mapping[str, str]) -> list[Query]:
    """All queries of a dashboard's JSON. `rules` has the recorded series' expressions."""
    board = json.loads(dashboard)
    asked = [
        (panel["title"], target["expr"], target.get("instant"), _pixels(panel["gridPos"]["w"]))
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    # Grafana gives an annotation the window's width.
    asked += [
        (entry["name"], entry["expr"], False, SCREEN_PIXELS)
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
    """The step for so many points at most, as Grafana rounds it; no less than a scrape's."""
    wanted = max(seconds / points, STEP_SECONDS)
    return next((rounded for limit, rounded in STEPS if wanted <= limit), STEPS[-1][1])


def ask(prometheus: Prometheus, expression: str, at: int, every: int | None) -> Answer:
    """An expression for the DAYS before `at`, with the times on the step as Grafana puts them."""
    if every is None:
        data = prometheus.ask("/api/v1/query", query=expression, time=at, stats="all")
    else:
        end, start = (moment // every * every for moment in (at, at - DAYS * DAY_SECONDS))
        window = {"start": start, "end": end, "step": every, "stats": "all"}
        data = prometheus.ask("/api/v1/query_range", query=expression, **window)
    return Answer(data["stats"]["timings"]["execTotalTime"], data["result"])


def side_by_side(
    prometheus: Prometheus, asked: Sequence[Query], at: int, rounds: int
) -> dict[str, dict[int, tuple[float, ...]]]:
    """Seconds by side, `recorded` or `raw`, and by the query's place in the list: a sample a round.

    In each round every query is asked both ways, in an order shuffled anew.
    """
    rng = Random(0)
    both = [
        (side, place, getattr(query, side), query.step)
        for place, query in enumerate(asked)
        for side in ("recorded", "raw")
    ]
    found: dict[str, dict[int, list[float]]] = {"recorded": {}, "raw": {}}
    for _ in range(rounds):
        for side, place, expression, every in rng.sample(both, len(both)):
            answer = ask(prometheus, expression, at, every)
            found[side].setdefault(place, []).append(answer.seconds)
    return {
        side: {place: tuple(samples) for place, samples in by_place.items()}
        for side, by_place in found.items()
    }


def difference(prometheus: Prometheus, query: Query, at: int) -> str:
    """In what the two answers to a query differ, or nothing."""
    recorded, raw = (
        ask(prometheus, expression, at, query.step).series
        for expression in (query.recorded, query.raw)
    )
    mine, theirs = _values(recorded), _values(raw)
    if set(mine) != set(theirs):
        return f"{query.name}: {len(mine)} points recorded, {len(theirs)} raw"
    for key, value in mine.items():
        if not math.isclose(value, theirs[key], rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return f"{query.name}: {value:g} recorded, {theirs[key]:g} raw"
    return "" if mine or not query.reads_recorded else f"{query.name}: no points"


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
