"""Metrics of one anomaly, one query, one cache look-up on `/metrics`."""

import time
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
def test_gauge_is_set_to_the_given_value(update: Callable[[float], None], name: str) -> None:
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
    (metrics.track_ecg_processing, "ecg_processing_duration_seconds", "ecg_processing_failures"),
    (metrics.track_wasm_execution, "wasm_execution_duration_seconds", "wasm_failures"),
    (
        lambda: metrics.track_db_query("select"),
        "db_query_duration_seconds",
        "db_query_failures",
    ),
]


@pytest.mark.parametrize(("timer", "duration", "failures"), TIMERS)
def test_timer_of_each_kind_counts_success_and_failure_apart(
    timer: Callable[[], Any], duration: str, failures: str
) -> None:
    labels = {"query_type": "select"} if duration.startswith("db") else {}

    def figures() -> tuple[float | None, float | None]:
        return (
            value(f"{duration}_count", **labels),
            value(f"{failures}_total", **labels, outcome="error"),
        )

    timed, failed = figures()
    with timer():
        pass
    assert figures() == ((timed or 0) + 1, failed)
    with pytest.raises(RuntimeError), timer():
        raise RuntimeError
    assert figures() == ((timed or 0) + 1, (failed or 0) + 1)


def test_record_vital_sign_sets_the_time_of_the_last_one() -> None:
    before = time.time()
    metrics.record_vital_sign()
    assert before <= (value("last_vital_sign_timestamp_seconds") or 0) <= time.time()


def test_update_active_patients_with_an_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="fix: write scope='worker' or scope='ward'"):
        metrics.update_active_patients(1, scope="hospital")
