"""`ops size` beside a Prometheus that really holds its series: the load test, small and quick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from benchmarks import load
from benchmarks.load_seen import Loaded, Size
from ops.size import measured
from ops.size.demand import MEBIBYTE, Demand, Load
from tests.live import stack as stacks

STACK = "live-size"
SIZES = (Size(1_000, interval=2, seconds=20), Size(5_000, interval=2, seconds=20))
# A Prometheus that has run for seconds, next to the line through runs of minutes. What it has
# without any series is most of it here, and differs from version to version.
MEMORY_TOLERANCE = 0.4
SAMPLES_TOLERANCE = 0.15
# What a busy machine may add to a scrape and an evaluation.
SLACK_SECONDS = 10


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size.series} series")
def run(
    request: pytest.FixtureRequest,
    docker_client: docker.DockerClient,
    images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Loaded]:
    if reason := stacks.not_of_this_machine(docker_client):
        pytest.skip(f"Prometheus cannot reach this machine's pages: {reason}")
    size: Size = request.param
    folder: Path = tmp_path_factory.mktemp("load") / "run"
    with stacks.alone(STACK, docker_client):
        yield load.measure(docker_client, images["prometheus"], folder, size, stacks.say, STACK)


@pytest.fixture
def demand(run: Loaded) -> Demand:
    return Demand(Load(run.head, run.size.interval, retention=7 * 86_400))


def test_every_series_is_scraped(run: Loaded) -> None:
    assert run.size.series <= run.active < run.size.series + 100


def test_samples_a_second_are_what_ops_size_says(run: Loaded, demand: Demand) -> None:
    assert run.samples_a_second == pytest.approx(demand.samples_a_second, rel=SAMPLES_TOLERANCE)


def test_memory_is_what_ops_size_says(run: Loaded, demand: Demand) -> None:
    assert run.resident == pytest.approx(demand.resident_bytes, rel=MEMORY_TOLERANCE)


def test_the_limit_that_ops_size_says_is_never_reached(run: Loaded, demand: Demand) -> None:
    assert run.peak < demand.memory_mebibytes * MEBIBYTE


def test_a_sample_takes_the_bytes_that_ops_size_reckons_with(run: Loaded) -> None:
    # Chunks of few samples: 120 of them share what each chunk begins with.
    assert measured.SAMPLE_BYTES / 2 < run.sample_bytes < 2 * measured.SAMPLE_BYTES


def test_a_sample_in_the_log_takes_what_ops_size_reckons_with(run: Loaded) -> None:
    assert run.wal_sample_bytes == pytest.approx(measured.WAL_SAMPLE_BYTES, rel=0.5)


def test_an_alert_comes_with_the_scrape_and_the_evaluation_after_its_cause(run: Loaded) -> None:
    assert run.alerts
    assert max(run.alerts) < 2 * run.size.interval + SLACK_SECONDS


def test_a_recorded_series_spares_the_samples_behind_it(run: Loaded) -> None:
    assert (
        max(asked.samples for asked in run.recorded) < min(asked.samples for asked in run.raw) / 10
    )
