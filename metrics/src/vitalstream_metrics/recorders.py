"""Metrics of VitalStream's own domain: patients, anomalies, ECG, WebAssembly, database, cache."""

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from vitalstream_metrics.headcounts import Headcount, Scope
from vitalstream_metrics.labels import BoundedMetric
from vitalstream_metrics.registry import REGISTRY
from vitalstream_metrics.timer import OUTCOMES, Timer

ANOMALY_TYPES = (
    "bradycardia",
    "tachycardia",
    "atrial_fibrillation",
    "premature_beats",
    "st_elevation",
    "asystole",
)
SEVERITIES = ("low", "medium", "high", "critical")
CACHE_TYPES = ("patients", "vitals", "sessions")
QUERY_TYPES = ("select", "insert", "update", "delete")
AUTH_RESULTS = ("success", "failure")

_ACTIVE_PATIENTS = Headcount("active_patients_total", "Patients being monitored right now.")
_ACTIVE_SESSIONS = Headcount(
    "active_sessions_total", "Sessions that are logged in and not expired."
)
_ANOMALIES = BoundedMetric(
    Counter(
        "anomalies_detected_total",
        "Anomalies found in patients' vital signs, by type and severity.",
        ["anomaly_type", "severity"],
        registry=REGISTRY,
    ),
    "inc",
    [ANOMALY_TYPES, SEVERITIES],
)
_ECG_PROCESSING = Histogram(
    "ecg_processing_duration_seconds",
    "Seconds to process one ECG recording.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    registry=REGISTRY,
)
_ECG_FAILURES = BoundedMetric(
    Counter(
        "ecg_processing_failures_total",
        "ECG recordings that could not be processed, by outcome: error, timeout or cancelled.",
        ["outcome"],
        registry=REGISTRY,
    ),
    "inc",
    [OUTCOMES],
)
_WASM_EXECUTION = Histogram(
    "wasm_execution_duration_seconds",
    "Seconds in one call of a WebAssembly module.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
    registry=REGISTRY,
)
_WASM_FAILURES = BoundedMetric(
    Counter(
        "wasm_failures_total",
        "Calls of a WebAssembly module that failed, by outcome: error, timeout or cancelled.",
        ["outcome"],
        registry=REGISTRY,
    ),
    "inc",
    [OUTCOMES],
)
_DB_CONNECTIONS_IN_USE = Gauge(
    "db_connections_in_use",
    "Connections of the backend's database pool that are lent out.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
_DB_CONNECTIONS_MAX = Gauge(
    "db_connections_max",
    "Connections that the backend's database pool may open.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
_DB_QUERY = BoundedMetric(
    Histogram(
        "db_query_duration_seconds",
        "Seconds of one database query, by type of query.",
        ["query_type"],
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
        registry=REGISTRY,
    ),
    "observe",
    [QUERY_TYPES],
)
_DB_FAILURES = BoundedMetric(
    Counter(
        "db_query_failures_total",
        "Database queries that failed, by type of query and outcome.",
        ["query_type", "outcome"],
        registry=REGISTRY,
    ),
    "inc",
    [QUERY_TYPES, OUTCOMES],
)
_CACHE_HITS = BoundedMetric(
    Counter("cache_hits_total", "Look-ups the cache answered.", ["cache_type"], registry=REGISTRY),
    "inc",
    [CACHE_TYPES],
)
_CACHE_MISSES = BoundedMetric(
    Counter(
        "cache_misses_total",
        "Look-ups the cache did not answer.",
        ["cache_type"],
        registry=REGISTRY,
    ),
    "inc",
    [CACHE_TYPES],
)
_AUTH_ATTEMPTS = BoundedMetric(
    Counter("auth_attempts_total", "Attempts to log in, by result.", ["result"], registry=REGISTRY),
    "inc",
    [AUTH_RESULTS],
)


@cache
def _last_vital_sign() -> Gauge:
    # Made at the first vital sign: a 0 until then would be data that are silent since 1970.
    return Gauge(
        "last_vital_sign_timestamp_seconds",
        "Unix time in seconds at which the last vital sign was processed.",
        multiprocess_mode="max",
        registry=REGISTRY,
    )


def initialise_labels(
    *,
    anomaly_types: Iterable[str] = (),
    cache_types: Iterable[str] = (),
    query_types: Iterable[str] = (),
    auth_results: Iterable[str] = (),
) -> None:
    """Create the series of these label values at 0; call it at start for values of your own.

    A counter that is born at 1 has a rate of 0: the first anomaly of a type that was never seen
    before would be missing from every graph. `ANOMALY_TYPES` (each with all `SEVERITIES`),
    `CACHE_TYPES`, `QUERY_TYPES` and `AUTH_RESULTS` are created when this module is imported.

    Values that are created here do not count against the bound on values that were not.
    """
    for anomaly_type in anomaly_types:
        for severity in SEVERITIES:
            _ANOMALIES.create(anomaly_type, severity)
    for cache_type in cache_types:
        _CACHE_HITS.create(cache_type)
        _CACHE_MISSES.create(cache_type)
    for query_type in query_types:
        _DB_QUERY.create(query_type)
        for outcome in OUTCOMES:
            _DB_FAILURES.create(query_type, outcome)
    for result in auth_results:
        _AUTH_ATTEMPTS.create(result)


def record_anomaly(anomaly_type: str, severity: str) -> None:
    """Count one anomaly found in a patient's vital signs (`ANOMALY_TYPES`, `SEVERITIES`)."""
    _ANOMALIES.child(anomaly_type, severity)()


def record_vital_sign() -> None:
    """Note that a vital sign was processed now: for the alert on data that stopped arriving."""
    _last_vital_sign().set(time.time())


def update_active_patients(count: float, *, scope: Scope = "worker") -> None:
    """Set how many patients are being monitored right now.

    `scope` is what was counted: the patients of this process alone, the default, which add up over
    workers and instances; or with `scope="ward"` all patients, as a query of the database finds
    them, of which the latest figure counts. An application keeps to one of the two.
    """
    _ACTIVE_PATIENTS.set(count, scope)


def update_active_sessions(count: float, *, scope: Scope = "worker") -> None:
    """Set how many sessions are logged in and not expired; `scope` as of active patients."""
    _ACTIVE_SESSIONS.set(count, scope)


def set_db_connections(in_use: float, maximum: float) -> None:
    """Set how many connections of this process's pool are lent out, and how many it may open."""
    _DB_CONNECTIONS_IN_USE.set(in_use)
    _DB_CONNECTIONS_MAX.set(maximum)


def record_cache_hit(cache_type: str) -> None:
    """Count one look-up that the cache answered (`CACHE_TYPES`)."""
    _CACHE_HITS.child(cache_type)()


def record_cache_miss(cache_type: str) -> None:
    """Count one look-up that the cache did not answer (`CACHE_TYPES`)."""
    _CACHE_MISSES.child(cache_type)()


def record_auth_attempt(result: str) -> None:
    """Count one attempt to log in; `result` is `success` or `failure`."""
    _AUTH_ATTEMPTS.child(result)()


def track_ecg_processing() -> Timer:
    """Time the processing of one ECG recording: `with track_ecg_processing():`, or a decorator."""
    return Timer(_ECG_PROCESSING.observe, _counter_of(_ECG_FAILURES))


def track_wasm_execution() -> Timer:
    """Time one call of a WebAssembly module: `with track_wasm_execution():`, or a decorator."""
    return Timer(_WASM_EXECUTION.observe, _counter_of(_WASM_FAILURES))


def track_db_query(query_type: str) -> Timer:
    """Time one database query: `with track_db_query("select"):`, or a decorator (`QUERY_TYPES`)."""
    return Timer(_DB_QUERY.child(query_type), _counter_of(_DB_FAILURES, query_type))


def _counter_of(failures: BoundedMetric, *labels: str) -> Callable[[str], Any]:
    return lambda outcome: failures.child(*labels, outcome)()


for _outcome in OUTCOMES:
    _ECG_FAILURES.create(_outcome)
    _WASM_FAILURES.create(_outcome)
initialise_labels(
    anomaly_types=ANOMALY_TYPES,
    cache_types=CACHE_TYPES,
    query_types=QUERY_TYPES,
    auth_results=AUTH_RESULTS,
)
