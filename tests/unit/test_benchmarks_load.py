"""The load test's pages and sizes, and what it makes of what it saw."""

from __future__ import annotations

import itertools
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from benchmarks import load, load_report, load_watch
from benchmarks.load_exporter import exporter
from benchmarks.load_pages import PROBE, WARD_SERIES, Page
from benchmarks.load_seen import MOST_A_TARGET, Loaded, Size, fit
from benchmarks.load_watch import Asked, Moment
from benchmarks.prometheus_containers import FOLDER, Block
from benchmarks.raw_expressions import expanded, recording_rules
from components.prometheus.rules import stack_rules
from components.rules.rule_set import shipped_files
from components.settings.settings import Settings

RULES = recording_rules(shipped_files())
ADDRESS = "127.0.0.1"


def page(target: int = 1, series: int = 1000, churn: float = 0) -> Page:
    return Page(target, series, churn, Random(0))


def values(text: bytes) -> dict[str, float]:
    pairs = (line.rpartition(" ") for line in text.decode().splitlines())
    return {series: float(value) for series, _, value in pairs}


def pages(count: int = 6) -> list[dict[str, float]]:
    made = page()
    return [values(made.text(0)) for _ in range(count)]


def test_a_page_has_as_many_series_as_asked_for() -> None:
    text = page(series=1000).text(0)
    assert (text.count(b"\n"), len(values(text))) == (1000, 1000)


@pytest.mark.parametrize("series", [0, -100, 150])
def test_series_come_in_whole_wards(series: int) -> None:
    with pytest.raises(ValueError, match="no whole number of wards"):
        page(series=series)


def test_no_two_targets_have_a_series_in_common() -> None:
    assert not set(values(page(0).text(0))) & set(values(page(1).text(0)))


def test_the_first_target_has_the_probe_in_the_place_of_a_series() -> None:
    found = values(page(target=0, series=1000).text(1))
    assert (len(found), found[PROBE]) == (1000, 1)


def test_another_target_has_no_probe() -> None:
    assert PROBE not in values(page(target=1).text(1))


def test_counters_never_fall() -> None:
    seen = pages()
    counters = [series for series in seen[0] if re.match(r"\w+_(total|bucket|count)\{", series)]
    counters = [series for series in counters if not series.startswith("active_")]
    for before, after in itertools.pairwise(seen):
        assert [series for series in counters if after[series] < before[series]] == []


def test_values_move_from_one_scrape_to_the_next() -> None:
    first, *_, last = pages()
    moved = [series for series in first if first[series] != last[series]]
    assert len(first) / 3 < len(moved) < len(first)


def test_a_bucket_holds_what_the_ones_below_it_hold() -> None:
    buckets: dict[str, list[float]] = {}
    for series, value in pages()[-1].items():
        if series.startswith("http_request_duration_seconds_bucket"):
            buckets.setdefault(re.sub(r',le="[^"]*"', "", series), []).append(value)
    assert buckets
    assert all(found == sorted(found) for found in buckets.values())


def test_churn_replaces_series_and_keeps_their_number() -> None:
    made = page(series=10_000, churn=0.05)
    before = set(values(made.text(0)))
    made.started -= 120
    after = set(values(made.text(0)))
    assert (len(after), len(after - before)) == (10_000, 1000)


def test_a_series_that_ended_does_not_come_back() -> None:
    made = page(series=1000, churn=1)
    before = set(values(made.text(0)))
    made.started -= 180
    assert not before & set(values(made.text(0)))


@pytest.mark.parametrize("size", [*load_report.SIZES, load_report.CHURNED], ids=str)
def test_targets_share_the_series_of_a_size(size: Size) -> None:
    assert sum(size.pages) == size.series
    assert max(size.pages) <= MOST_A_TARGET
    assert [found % WARD_SERIES for found in size.pages] == [0] * len(size.pages)


def test_a_target_shows_no_more_than_the_stack_takes() -> None:
    assert Settings.model_fields["sample_limit"].default == MOST_A_TARGET


def test_a_page_fits_into_the_body_that_the_stack_takes() -> None:
    assert len(page(series=MOST_A_TARGET).text(0)) < 32 * 2**20


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("load")
    size = Size(100_000, interval=5, seconds=1)
    text, _ = load._configured(size, ["10.0.0.1:1", "10.0.0.1:2"], folder)
    return yaml.safe_load(text), folder


def test_only_what_is_there_is_scraped_and_nobody_is_told(
    configured: tuple[dict[str, Any], Path],
) -> None:
    config, _ = configured
    assert [job["job_name"] for job in config["scrape_configs"]] == ["prometheus", "backend"]
    assert "alerting" not in config


def test_targets_are_scraped_as_the_stack_scrapes(configured: tuple[dict[str, Any], Path]) -> None:
    config, _ = configured
    backend = config["scrape_configs"][1]
    assert backend["static_configs"] == [{"targets": ["10.0.0.1:1", "10.0.0.1:2"]}]
    assert (backend["sample_limit"], backend["body_size_limit"]) == (MOST_A_TARGET, "32MB")
    assert config["global"]["scrape_interval"] == config["global"]["evaluation_interval"] == "5s"


def test_every_series_of_a_page_is_stored(configured: tuple[dict[str, Any], Path]) -> None:
    config, _ = configured
    keep = re.compile(config["scrape_configs"][1]["metric_relabel_configs"][0]["regex"])
    names = {series.partition("{")[0] for series in values(page(target=0).text(0))}
    assert {name for name in names if not keep.fullmatch(name)} == set()


def test_prometheus_gets_the_stack_s_rules_and_the_probe_s(
    configured: tuple[dict[str, Any], Path], settings: Callable[..., Settings]
) -> None:
    config, folder = configured
    assert config["rule_files"] == [f"{FOLDER}/rules/*.yml"]
    names = {path.name for path in (folder / "rules").iterdir()}
    assert names == {*stack_rules(settings()).files, "load.yml"}


@pytest.mark.parametrize("name", load_watch.QUERIES)
def test_a_query_reads_a_recorded_series_or_what_it_is_recorded_from(name: str) -> None:
    assert expanded(RULES[name], RULES) != name


def moment(at: float, head: int = 0, resident: float = 0, **own: float) -> Moment:
    sums = {
        "prometheus_tsdb_head_series": float(head),
        "process_resident_memory_bytes": resident,
        **own,
    }
    return Moment(at, sums, 0, {"host": 0.1, "backend": at})


def loaded(*moments: Moment, size: Size = load_report.CHURNED) -> Loaded:
    return Loaded(
        size=size,
        active=100,
        moments=moments,
        scraped=(0.1, 0.2),
        missed=0,
        alerts=(1.0, 3.0),
        recorded=[Asked(0.1, 10)],
        raw=[Asked(0.5, 1000)],
        block=Block(samples=1000, series=100, chunks=10, chunk_bytes=2000, index_bytes=5000),
        wal_bytes=8000,
        after=[moment(8, 100, 7e9), moment(9, 100, 5e6)],
    )


def test_the_line_goes_through_runs_that_are_on_one() -> None:
    runs = [
        loaded(moment(0, head, 50e6 + 5000 * head), moment(1, head, 50e6 + 5000 * head))
        for head in (1000, 10_000, 100_000)
    ]
    assert fit(runs) == pytest.approx((50e6, 5000))


def test_memory_is_that_of_the_second_half_of_the_watch() -> None:
    rising = loaded(*(moment(at, at, at) for at in range(4)))
    assert (rising.resident, rising.head) == (2.5, 2)


def test_the_peak_is_of_the_queries_and_the_block_too() -> None:
    assert loaded(moment(0, 1, 1e6), moment(1, 1, 2e6)).peak == 7e9


def test_a_rate_is_over_the_whole_watch() -> None:
    total = "prometheus_tsdb_head_samples_appended_total"
    found = loaded(moment(10, **{total: 500.0}), moment(20, **{total: 1500.0}))
    assert found.samples_a_second == 100


def test_bytes_a_sample_are_those_of_the_block_and_of_the_log() -> None:
    found = loaded(moment(0), moment(1))
    assert (found.sample_bytes, found.wal_sample_bytes, found.chunk_samples) == (2, 8, 100)


def test_the_slowest_group_of_rules_is_named() -> None:
    assert loaded(moment(2), moment(4)).slowest_group == ("backend", 4)


def test_the_seconds_of_each_group_are_read_from_what_prometheus_shows() -> None:
    shown = (
        'prometheus_rule_group_last_duration_seconds{rule_group="/bench/rules/slo.yml;slo"} 0.25\n'
        'prometheus_rule_group_rules{rule_group="/bench/rules/slo.yml;slo"} 30\n'
    )
    assert load_watch._GROUP.findall(shown) == [("slo", "0.25")]


def test_the_report_has_a_cell_for_every_size() -> None:
    own = {
        "prometheus_tsdb_head_samples_appended_total": 1.0,
        "process_cpu_seconds_total": 1.0,
    }
    runs = [
        loaded(*(moment(at, size.series, size.series * 5e3, **own) for at in (0, 1)), size=size)
        for size in load_report.SIZES
    ]
    for grid in (load_report.figures(runs, [1.0] * 4), load_report.beside_ops_size(runs)):
        lines = grid.as_markdown()[2:]
        assert len({line.count("|") for line in lines}) == 1


def test_the_exporter_serves_a_page_a_target_and_ends_with_its_block() -> None:
    with exporter(ADDRESS, [200, 100], 0, most_seconds=60) as served:
        changed = served.set(1)
        texts = [
            urllib.request.urlopen(f"http://{target}/metrics", timeout=10).read()
            for target in served.targets
        ]
    assert ([len(values(text)) for text in texts], changed > 0) == ([200, 100], True)
    assert values(texts[0])[PROBE] == 1
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{served.targets[0]}/metrics", timeout=10)
