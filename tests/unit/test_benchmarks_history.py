"""The 30 days that the benchmarks make up, and what the overview asks of them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.history import BLOCK_SECONDS, BLOCKS, DAY_SECONDS, Series, seen_in, write_samples
from benchmarks.overview import Query, difference, queries, step
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus
from benchmarks.raw_expressions import expanded, recorded_in, recording_rules
from benchmarks.storage import BLOCKS_A_DAY, Day
from components.dashboards import DashboardSettings, render_all
from components.rules.rule_set import shipped_files

RULES = recording_rules(shipped_files())
MONTH = 30 * DAY_SECONDS
SETTINGS = DashboardSettings(stack="dev", retention_seconds=MONTH, scrape_interval="15s")
OVERVIEW = render_all(SETTINGS)["overview"]


class Answers(Prometheus):
    """A server that gives one answer, and another after it, to whatever it is asked."""

    def __init__(self, *answers: Any) -> None:
        super().__init__("http://prometheus.test")
        object.__setattr__(self, "left", list(answers))

    def get(self, path: str) -> str:
        return json.dumps({"data": {"beds_total": [{"type": "counter"}]}})

    def ask(self, path: str, **parameters: Any) -> Any:
        return self.left.pop(0)  # type: ignore[attr-defined]


def answer(*values: float, **labels: str) -> dict[str, Any]:
    pairs = [[15 * n, str(value)] for n, value in enumerate(values)]
    result = [{"metric": labels, "values": pairs}]
    return {"result": result, "stats": {"timings": {"execTotalTime": 0.1}}}


def test_a_gauge_shows_its_values_over_and_over() -> None:
    assert list(Series("a", (1, 5, 2), counter=False).samples(2, 5)) == [2, 1, 5, 2, 1]


def test_a_counter_rises_as_it_rose_and_never_falls() -> None:
    found = list(Series("a", (10, 12, 17), counter=True).samples(0, 6))
    assert found == [10, 12, 17, 19, 24, 26]


def test_a_series_goes_on_where_its_last_block_ended() -> None:
    series = Series("a", (3, 4, 4, 9), counter=True)
    parts = [*series.samples(0, 7), *series.samples(7, 5)]
    assert parts == list(series.samples(0, 12))


def test_a_counter_with_one_sample_stands_still() -> None:
    assert list(Series("a", (7,), counter=True).samples(5, 3)) == [7, 7, 7]


def test_a_blocks_samples_are_15_seconds_apart_from_its_start_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "block.txt"
    write_samples(file, [Series('a{b="c"}', (1, 2), counter=False)], 1000, 1)
    *lines, end = file.read_text().splitlines()
    times = [int(line.split()[2]) for line in lines]
    assert end == "# EOF"
    assert (times[0], times[-1]) == (1000 + BLOCK_SECONDS, 1000 + 2 * BLOCK_SECONDS - 15)
    assert {after - before for before, after in itertools.pairwise(times)} == {15}


def test_the_blocks_hold_30_days() -> None:
    assert (BLOCKS - 1) * BLOCK_SECONDS < MONTH <= BLOCKS * BLOCK_SECONDS


def test_what_the_demo_shows_is_taken_with_its_labels_but_for_what_is_recorded() -> None:
    found = answer(1, 2, __name__="beds_total", ward='a"b')
    found["result"] += answer(1, __name__="ward:beds:sum")["result"]
    (series,) = seen_in(Answers(found), 60, frozenset(("ward:beds:sum",)))
    assert series == Series('beds_total{ward="a\\"b"}', (1, 2), counter=True)


def test_a_series_that_came_late_had_its_first_value_before() -> None:
    found = answer(1, 2, 3, __name__="a", job="x")
    found["result"] += answer(7.5, __name__="b", job="x")["result"]
    assert [series.values for series in seen_in(Answers(found), 60, frozenset())] == [
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
def test_steps_are_those_of_grafana(seconds: int, points: int, found: int) -> None:
    assert step(seconds, points) == found


def test_every_query_of_the_overview_is_asked() -> None:
    board = json.loads(OVERVIEW)
    wanted = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    wanted += [entry["expr"] for entry in board["annotations"]["list"]]
    assert [query.recorded for query in queries(OVERVIEW, RULES)] == wanted


def test_a_raw_expression_reads_nothing_that_is_recorded() -> None:
    asked = queries(OVERVIEW, RULES)
    assert {name for query in asked for name in recorded_in(query.raw, RULES)} == set()
    assert [query for query in asked if query.reads_recorded]


def test_a_rule_of_rules_is_followed_down_to_the_scrapes() -> None:
    rules = {"a:b": "sum(c:d) / 2", "c:d": "rate(raw[5m])"}
    assert expanded("max(a:b)", rules) == "max((sum((rate(raw{}[5m]))) / 2))"


@pytest.mark.parametrize("expression", ['a:b{x="y"}', "a:b offset 5m", "rate(a:b[5m])"])
def test_what_cannot_be_replaced_by_its_rule_is_refused(expression: str) -> None:
    with pytest.raises(BenchmarkError, match="cannot be replaced"):
        expanded(expression, {"a:b": "raw"})


BEDS = Query("Beds", "a:b", "raw", 15)


def test_the_same_answer_both_ways_is_no_difference() -> None:
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
def test_another_answer_is_told(raw: dict[str, Any], words: str) -> None:
    assert difference(Answers(answer(1, 2, job="x"), raw), BEDS, 60) == words


def test_two_empty_answers_prove_nothing() -> None:
    empty = {**answer(), "result": []}
    assert difference(Answers(empty, dict(empty)), BEDS, 60) == "Beds: no points"


def test_a_day_is_its_samples_and_the_indexes_of_its_blocks() -> None:
    day = Day(samples=2e6, series=10, sample_bytes=1.5, index_bytes=1e5)
    assert day.megabytes == pytest.approx(3 + BLOCKS_A_DAY * 0.1)
