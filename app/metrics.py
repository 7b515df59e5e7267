"""The backend's metrics: the one module that VitalStream's own code imports.

::

    from app.metrics import record_anomaly, track_request_metrics, update_active_patients

    @app.get("/api/v1/patients")
    @track_request_metrics("/api/v1/patients")
    async def get_patients(): ...

    record_anomaly(anomaly_type="bradycardia", severity="high")
    update_active_patients(42)

Two more lines complete it: `app.add_middleware(MetricsMiddleware)`, so that method, status and
duration are those the client saw, and `app.routes.append(Route("/metrics", metrics_app))` (from
`starlette.routing`) for Prometheus.

Durations are in seconds. All functions are safe to call from any thread or coroutine and cost a
few microseconds or less. Any text is taken as a label's value, but every new value is a new series,
kept as long as the process lives: labels take a small, fixed vocabulary, never a patient, a user or
the text of an error.

**Several worker processes** (`gunicorn -w 4`, `uvicorn --workers 4`): set
`PROMETHEUS_MULTIPROC_DIR` to an empty, writable folder before the process starts, empty it at each
start of the service, and call `prometheus_client.multiprocess.mark_process_dead(pid)` when a worker
ends (gunicorn's `child_exit`). `metrics_app` then answers for all workers, whichever is asked.
Counters and histograms add up, so do requests in progress and database connections (each worker has
its own pool); of active patients and active sessions, the figure set last counts.
"""

import functools
from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram

from app.exposition import metrics_app
from app.middleware import MetricsMiddleware
from app.timer import Timer
from app.tracking import track_request_metrics

__all__ = (
    "ANOMALY_TYPES",
    "AUTH_RESULTS",
    "CACHE_TYPES",
    "QUERY_TYPES",
    "SEVERITIES",
    "MetricsMiddleware",
    "initialise_labels",
    "metrics_app",
    "record_anomaly",
    "record_auth_attempt",
    "record_cache_hit",
    "record_cache_miss",
    "set_db_connections",
    "track_db_query",
    "track_ecg_processing",
    "track_request_metrics",
    "track_wasm_execution",
    "update_active_patients",
    "update_active_sessions",
)

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

_ACTIVE_PATIENTS = Gauge(
    "active_patients_total",
    "Patients being monitored right now.",
    multiprocess_mode="mostrecent",
)
_ANOMALIES = Counter(
    "anomalies_detected_total",
    "Anomalies found in patients' vital signs, by type and severity.",
    ["anomaly_type", "severity"],
)
_ECG_PROCESSING = Histogram(
    "ecg_processing_duration_seconds",
    "Seconds to process one ECG recording.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
_WASM_EXECUTION = Histogram(
    "wasm_execution_duration_seconds",
    "Seconds in one call of a WebAssembly module.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
_DB_CONNECTIONS_IN_USE = Gauge(
    "db_connections_in_use",
    "Connections of the backend's database pool that are lent out.",
    multiprocess_mode="livesum",
)
_DB_CONNECTIONS_MAX = Gauge(
    "db_connections_max",
    "Connections that the backend's database pool may open.",
    multiprocess_mode="livesum",
)
_DB_QUERY = Histogram(
    "db_query_duration_seconds",
    "Seconds of one database query, by type of query.",
    ["query_type"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
_CACHE_HITS = Counter("cache_hits_total", "Look-ups the cache answered.", ["cache_type"])
_CACHE_MISSES = Counter("cache_misses_total", "Look-ups the cache did not answer.", ["cache_type"])
_AUTH_ATTEMPTS = Counter("auth_attempts_total", "Attempts to log in, by result.", ["result"])
_ACTIVE_SESSIONS = Gauge(
    "active_sessions_total",
    "Sessions that are logged in and not expired.",
    multiprocess_mode="mostrecent",
)


# Children are looked up once: `labels()` takes a lock and builds a tuple of strings at every call.
@functools.cache
def _anomaly(anomaly_type: str, severity: str) -> Callable[[], None]:
    return _ANOMALIES.labels(anomaly_type, severity).inc


@functools.cache
def _cache_hit(cache_type: str) -> Callable[[], None]:
    return _CACHE_HITS.labels(cache_type).inc


@functools.cache
def _cache_miss(cache_type: str) -> Callable[[], None]:
    return _CACHE_MISSES.labels(cache_type).inc


@functools.cache
def _auth_attempt(result: str) -> Callable[[], None]:
    return _AUTH_ATTEMPTS.labels(result).inc


@functools.cache
def _db_query(query_type: str) -> Callable[[float], None]:
    return _DB_QUERY.labels(query_type).observe


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
    """
    for anomaly_type in anomaly_types:
        for severity in SEVERITIES:
            _anomaly(anomaly_type, severity)
    for cache_type in cache_types:
        _cache_hit(cache_type)
        _cache_miss(cache_type)
    for query_type in query_types:
        _db_query(query_type)
    for result in auth_results:
        _auth_attempt(result)


def record_anomaly(anomaly_type: str, severity: str) -> None:
    """Count one anomaly found in a patient's vital signs (`ANOMALY_TYPES`, `SEVERITIES`)."""
    _anomaly(anomaly_type, severity)()


def update_active_patients(count: float) -> None:
    """Set how many patients are being monitored right now."""
    _ACTIVE_PATIENTS.set(count)


def update_active_sessions(count: float) -> None:
    """Set how many sessions are logged in and not expired."""
    _ACTIVE_SESSIONS.set(count)


def set_db_connections(in_use: float, maximum: float) -> None:
    """Set how many connections of this process's pool are lent out, and how many it may open."""
    _DB_CONNECTIONS_IN_USE.set(in_use)
    _DB_CONNECTIONS_MAX.set(maximum)


def record_cache_hit(cache_type: str) -> None:
    """Count one look-up that the cache answered (`CACHE_TYPES`)."""
    _cache_hit(cache_type)()


def record_cache_miss(cache_type: str) -> None:
    """Count one look-up that the cache did not answer (`CACHE_TYPES`)."""
    _cache_miss(cache_type)()


def record_auth_attempt(result: str) -> None:
    """Count one attempt to log in; `result` is `success` or `failure`."""
    _auth_attempt(result)()


def track_ecg_processing() -> Timer:
    """Time the processing of one ECG recording: `with track_ecg_processing():`, or a decorator."""
    return Timer(_ECG_PROCESSING.observe)


def track_wasm_execution() -> Timer:
    """Time one call of a WebAssembly module: `with track_wasm_execution():`, or a decorator."""
    return Timer(_WASM_EXECUTION.observe)


def track_db_query(query_type: str) -> Timer:
    """Time one database query: `with track_db_query("select"):`, or a decorator (`QUERY_TYPES`)."""
    return Timer(_db_query(query_type))


initialise_labels(
    anomaly_types=ANOMALY_TYPES,
    cache_types=CACHE_TYPES,
    query_types=QUERY_TYPES,
    auth_results=AUTH_RESULTS,
)
