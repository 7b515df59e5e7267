"""Generated history of 30 days, and the queries of the overview on it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.history import (
    BLOCK_SECONDS,
    BLOCKS,
    DAY_SECONDS,
    Series,
    recent_series,
    write_samples,
)
from benchmarks.overview_queries import (
    Query,
    difference,
    expanded,
    queries,
    recorded_in,
    recording_rules,
    step,
)
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus
from components.dashboards import DashboardSettings, render_all
from components.rules.rule_set import shipped_files

RULES = recording_rules(shipped_files().values())
MONTH = 30 * DAY_SECONDS
SETTINGS = DashboardSettings(stack="dev", retention_seconds=MONTH, scrape_interval="15s")
OVERVIEW = render_all(SETTINGS)["overview"]


class Answers(Prometheus):
    """A server that returns the given answers, one per query."""

    def __init__(self, *answers: Any) -> None:
        super().__init__("http://prometheus.test")
        object.__setattr__(self, "left", list(answers))

    def ask(self, path: str, **parameters: Any) -> Any:
        if path == "/api/v1/metadata":
            return {"beds_total": [{"type": "counter"}]}
        return self.left.pop(0)  # type: ignore[attr-defined]


def answer(*values: float, **labels: str) -> dict[str, Any]:
    pairs = [[15 * n, str(value)] for n, value in enumerate(values)]
    result = [{"metric": labels, "values": pairs}]
    return {"result": result, "stats": {"timings": {"execTotalTime": 0.1}}}


def test_samples_of_a_gauge_repeat() -> None:
    assert list(Series("a", (1, 5, 2), counter=False).samples(2, 5)) == [2, 1, 5, 2, 1]


def test_samples_of_a_counter_never_fall() -> None:
    found = list(Series("a", (10, 12, 17), counter=True).samples(0, 6))
    assert found == [10, 12, 17, 19, 24, 26]


def test_samples_continue_across_blocks() -> None:
    series = Series("a", (3, 4, 4, 9), counter=True)
    parts = [*series.samples(0, 7), *series.samples(7, 5)]
    assert parts == list(series.samples(0, 12))


def test_samples_of_a_counter_with_one_value_are_constant() -> None:
    assert list(Series("a", (7,), counter=True).samples(5, 3)) == [7, 7, 7]


def test_write_samples_fills_the_block_every_15_seconds(tmp_path: Path) -> None:
    file = tmp_path / "block.txt"
    write_samples(file, [Series('a{b="c"}', (1, 2), counter=False)], 1000, 1)
    *lines, end = file.read_text().splitlines()
    times = [int(line.split()[2]) for line in lines]
    assert end == "# EOF"
    assert (times[0], times[-1]) == (1000 + BLOCK_SECONDS, 1000 + 2 * BLOCK_SECONDS - 15)
    assert {after - before for before, after in itertools.pairwise(times)} == {15}


def test_blocks_cover_30_days() -> None:
    assert (BLOCKS - 1) * BLOCK_SECONDS < MONTH <= BLOCKS * BLOCK_SECONDS


def test_recent_series_keeps_labels_and_omits_recorded_series() -> None:
    found = answer(1, 2, __name__="beds_total", ward='a"b')
    found["result"] += answer(1, __name__="ward:beds:sum")["result"]
    (series,) = recent_series(Answers(found), 60, frozenset(("ward:beds:sum",)))
    assert series == Series('beds_total{ward="a\\"b"}', (1, 2), counter=True)


def test_recent_series_of_a_late_series_is_padded_with_its_first_value() -> None:
    found = answer(1, 2, 3, __name__="a", job="x")
    found["result"] += answer(7.5, __name__="b", job="x")["result"]
    assert [series.values for series in recent_series(Answers(found), 60, frozenset())] == [
        (1, 2, 3),
        (7.5, 7.5, 7.5),
    ]


@pytest.mark.parametrize(
    ("seconds", "points", "found"),
    [
        (3600, 500, 15),
        (DAY_SECONDS, 450, 120),
        (MONTH, 450, 7200),
        (MONTH, 380, 7200),
        (MONTH, 1920, 1200),
        (12 * MONTH, 500, 43_200),
    ],
)
def test_step_is_rounded_as_in_grafana(seconds: int, points: int, found: int) -> None:
    assert step(seconds, points) == found


def test_queries_returns_every_query_of_the_overview() -> None:
    board = json.loads(OVERVIEW)
    wanted = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    wanted += [entry["target"]["expr"] for entry in board["annotations"]["list"]]
    assert [query.recorded for query in queries(OVERVIEW, RULES)] == wanted


def test_raw_query_reads_no_recorded_series() -> None:
    asked = queries(OVERVIEW, RULES)
    assert {name for query in asked for name in recorded_in(query.raw, RULES)} == set()
    assert [query for query in asked if query.reads_recorded]


def test_expanded_follows_nested_rules() -> None:
    rules = {"a:b": "sum(c:d) / 2", "c:d": "rate(raw[5m])"}
    assert expanded("max(a:b)", rules) == "max((sum((rate(raw{}[5m]))) / 2))"


@pytest.mark.parametrize("expression", ['a:b{x="y"}', "a:b offset 5m", "rate(a:b[5m])"])
def test_expanded_with_matcher_offset_or_range_is_refused(expression: str) -> None:
    with pytest.raises(BenchmarkError, match="cannot be replaced"):
        expanded(expression, {"a:b": "raw"})


BEDS = Query("Beds", "a:b", "raw", 15)


def test_difference_of_equal_answers_is_empty() -> None:
    found = Answers(answer(1, 0.3, job="x"), answer(1, 0.1 + 0.2, job="x"))
    assert difference(found, BEDS, 60) == ""


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (answer(1, 3, job="x"), "Beds: 2 recorded, 3 raw"),
        (answer(1, job="x"), "Beds: 2 points recorded, 1 raw"),
        (answer(1, 2, job="y"), "Beds: 2 points recorded, 2 raw"),
    ],
)
def test_difference_of_other_answers_names_the_query(raw: dict[str, Any], words: str) -> None:
    assert difference(Answers(answer(1, 2, job="x"), raw), BEDS, 60) == words


def test_difference_of_two_empty_answers_is_an_error() -> None:
    empty = {**answer(), "result": []}
    assert difference(Answers(empty, dict(empty)), BEDS, 60) == "Beds: no points"
