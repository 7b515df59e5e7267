"""What one anomaly, one query, one cache look-up leave behind on `/metrics`."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app import metrics
from tests.metrics.application import Labels, value


def test_record_anomaly_counts_by_type_and_severity() -> None:
    labels = {"anomaly_type": "bradycardia", "severity": "high"}
    before = value("anomalies_detected_total", **labels) or 0
    metrics.record_anomaly(anomaly_type="bradycardia", severity="high")
    assert value("anomalies_detected_total", **labels) == before + 1


@pytest.mark.parametrize(
    ("update", "name"),
    [
        (metrics.update_active_patients, "active_patients_total"),
        (metrics.update_active_sessions, "active_sessions_total"),
    ],
)
def test_a_gauge_is_set_to_what_it_is_told(update: Callable[[float], None], name: str) -> None:
    update(42)
    update(41)
    assert value(name) == 41


def test_the_pools_connections_are_set_together() -> None:
    metrics.set_db_connections(in_use=3, maximum=20)
    assert (value("db_connections_in_use"), value("db_connections_max")) == (3, 20)


@pytest.mark.parametrize(
    ("record", "name", "labels"),
    [
        (metrics.record_cache_hit, "cache_hits_total", {"cache_type": "patients"}),
        (metrics.record_cache_miss, "cache_misses_total", {"cache_type": "patients"}),
        (metrics.record_auth_attempt, "auth_attempts_total", {"result": "failure"}),
    ],
)
def test_a_counter_helper_counts_one(
    record: Callable[[str], None], name: str, labels: Labels
) -> None:
    before = value(name, **labels) or 0
    record(*labels.values())
    assert value(name, **labels) == before + 1


TIMERS = [
    (metrics.track_ecg_processing, "ecg_processing_duration_seconds_count", {}),
    (metrics.track_wasm_execution, "wasm_execution_duration_seconds_count", {}),
    (
        lambda: metrics.track_db_query("select"),
        "db_query_duration_seconds_count",
        {"query_type": "select"},
    ),
]


@pytest.mark.parametrize(("timer", "name", "labels"), TIMERS)
def test_a_timer_times_a_block_even_one_that_fails(
    timer: Callable[[], Any], name: str, labels: Labels
) -> None:
    before = value(name, **labels) or 0
    with pytest.raises(RuntimeError), timer():
        raise RuntimeError
    assert value(name, **labels) == before + 1


def test_a_timer_times_every_call_of_a_function() -> None:
    @metrics.track_ecg_processing()
    def process(samples: int) -> int:
        return samples * 2

    before = value("ecg_processing_duration_seconds_count") or 0
    assert [process(1), process(2)] == [2, 4]
    assert value("ecg_processing_duration_seconds_count") == before + 2


def test_a_timer_times_an_async_function_to_its_end() -> None:
    @metrics.track_wasm_execution()
    async def execute() -> str:
        await asyncio.sleep(0.02)
        return "done"

    before = value("wasm_execution_duration_seconds_sum") or 0
    assert asyncio.run(execute()) == "done"
    assert (value("wasm_execution_duration_seconds_sum") or 0) - before >= 0.02
