"""Metrics of VitalStream's backend for Prometheus: requests, WebSockets, workers, vital signs.

::

    from vitalstream_metrics import (
        MetricsMiddleware, metrics_app, record_anomaly, update_active_patients,
    )

    app.add_middleware(MetricsMiddleware, exclude=["/healthz"])
    app.routes.append(Route("/metrics", metrics_app))  # from starlette.routing

    record_anomaly(anomaly_type="bradycardia", severity="high")
    update_active_patients(42)

The middleware counts every request under its route's template; `track_request_metrics` gives a
handler another name. Durations are in seconds. All functions are safe to call from any thread or
coroutine and cost a few microseconds or less. A label takes a bounded number of values, later ones
count as `other`: labels are a small vocabulary, never a patient, a user or the text of an error.

**Several worker processes** (`gunicorn -w 4`, `uvicorn --workers 4`): set
`PROMETHEUS_MULTIPROC_DIR` to a writable folder before the server starts, and empty it at each
start. `metrics_app` then answers for all workers, whichever is asked; no hook of the server is
needed. Counters and histograms add up and keep what ended workers counted. Requests in progress,
database connections, active patients and sessions are the sum of the living workers' (`scope` of
`update_active_patients` for counts of the whole ward).
"""

from vitalstream_metrics.exposition import MetricsApp, metrics_app
from vitalstream_metrics.middleware import MetricsMiddleware
from vitalstream_metrics.recorders import (
    ANOMALY_TYPES,
    AUTH_RESULTS,
    CACHE_TYPES,
    QUERY_TYPES,
    SEVERITIES,
    initialise_labels,
    record_anomaly,
    record_auth_attempt,
    record_cache_hit,
    record_cache_miss,
    record_vital_sign,
    set_db_connections,
    track_db_query,
    track_ecg_processing,
    track_wasm_execution,
    update_active_patients,
    update_active_sessions,
)
from vitalstream_metrics.registry import REGISTRY
from vitalstream_metrics.series import DURATION_BUCKETS, ZERO_STATUSES
from vitalstream_metrics.timer import Timer
from vitalstream_metrics.tracking import track_request_metrics

__all__ = [
    "ANOMALY_TYPES",
    "AUTH_RESULTS",
    "CACHE_TYPES",
    "DURATION_BUCKETS",
    "QUERY_TYPES",
    "REGISTRY",
    "SEVERITIES",
    "ZERO_STATUSES",
    "MetricsApp",
    "MetricsMiddleware",
    "Timer",
    "initialise_labels",
    "metrics_app",
    "record_anomaly",
    "record_auth_attempt",
    "record_cache_hit",
    "record_cache_miss",
    "record_vital_sign",
    "set_db_connections",
    "track_db_query",
    "track_ecg_processing",
    "track_request_metrics",
    "track_wasm_execution",
    "update_active_patients",
    "update_active_sessions",
]
