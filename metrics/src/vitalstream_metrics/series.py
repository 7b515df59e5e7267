"""The series of the requests of one method of one endpoint.

This runs in every request. So children are looked up when a method or a status is first seen, and
their values are changed directly: `Counter.inc` and `Histogram.observe` would check arguments that
cannot be wrong here, and take a lock each, at more than the cost of counting.
"""

from bisect import bisect_left
from threading import Lock
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from vitalstream_metrics.labels import OTHER
from vitalstream_metrics.registry import REGISTRY
from vitalstream_metrics.workers import is_shared

ZERO_STATUSES = (400, 404, 500, 502, 503, 504)
"""Statuses that every endpoint has at 0 from the start, beside its success. A counter that is born
at 1 has no rate: the first 502 would go unseen."""

DURATION_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9),
    *(1.0, 1.1, 1.25, 1.5, 2.5, 5.0, 10.0),
)
"""Histogram bounds in seconds. HighResponseTime compares the p95 with 1 s, which is a bound. The
close bounds around it make the figure that is shown accurate to about 0.1 s there."""

REQUESTS = Counter(
    "http_requests_total",
    "HTTP requests answered, by method, endpoint and status code.",
    ["method", "endpoint", "status"],
    registry=REGISTRY,
)
REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Seconds until the response began, by method and endpoint.",
    ["method", "endpoint"],
    buckets=DURATION_BUCKETS,
    registry=REGISTRY,
)
IN_PROGRESS = Gauge(
    "http_requests_in_progress",
    "HTTP requests being handled right now, by method and endpoint.",
    ["method", "endpoint"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


class Series:
    """The label children of one method of one endpoint, where several workers share a folder."""

    __slots__ = ("_buckets", "_by_status", "_duration", "_in_progress", "_lock", "_sum", "labels")

    def __init__(self, method: str, endpoint: str, success: int) -> None:
        self.labels = (method, endpoint)
        self._lock = Lock()
        self._in_progress: Any = IN_PROGRESS.labels(*self.labels)._value
        self._duration = REQUEST_DURATION.labels(*self.labels)
        self._sum: Any = self._duration._sum
        self._buckets: list[Any] = self._duration._buckets
        self._by_status: dict[int, Any] = {}
        for status in (success, *ZERO_STATUSES):
            self._add(status)

    def _add(self, status: int) -> Any:
        label = _label(status)
        value: Any = REQUESTS.labels(*self.labels, label)._value
        if label != OTHER:
            self._by_status[status] = value
        return value

    def enter(self) -> None:
        """Count a request as in progress."""
        self._in_progress.inc(1.0)

    def leave(self) -> None:
        """Count a request as in progress no more."""
        self._in_progress.inc(-1.0)

    def count(self, status: int, seconds: float) -> None:
        """Count a request, and the seconds until its response began."""
        (self._by_status.get(status) or self._add(status)).inc(1.0)
        self._sum.inc(seconds)
        self._buckets[bisect_left(DURATION_BUCKETS, seconds)].inc(1.0)

    def finish(self, status: int, seconds: float) -> None:
        """Leave and count."""
        self.leave()
        self.count(status, seconds)

    def count_with_exemplar(self, status: int, seconds: float, exemplar: dict[str, str]) -> None:
        """Count a request with the trace that it belongs to."""
        with self._lock:
            REQUESTS.labels(*self.labels, _label(status)).inc(1, exemplar)
            self._duration.observe(seconds, exemplar)


class LocalSeries(Series):
    """The children of a process that has its metrics for itself: one lock for all of them.

    Every change of these values is made below the same lock, so their own are not needed.
    """

    __slots__ = ()

    def enter(self) -> None:
        with self._lock:
            self._in_progress._value += 1.0

    def leave(self) -> None:
        with self._lock:
            self._in_progress._value -= 1.0

    def count(self, status: int, seconds: float) -> None:
        counter = self._by_status.get(status) or self._add(status)
        bucket = self._buckets[bisect_left(DURATION_BUCKETS, seconds)]
        with self._lock:
            counter._value += 1.0
            self._sum._value += seconds
            bucket._value += 1.0

    def finish(self, status: int, seconds: float) -> None:
        counter = self._by_status.get(status) or self._add(status)
        bucket = self._buckets[bisect_left(DURATION_BUCKETS, seconds)]
        with self._lock:
            self._in_progress._value -= 1.0
            counter._value += 1.0
            self._sum._value += seconds
            bucket._value += 1.0


_series: dict[tuple[str, str], Series] = {}
_series_lock = Lock()


def series_of(method: str, endpoint: str, success: int) -> Series:
    """Return the one object for `method` of `endpoint`; made, with `success` at 0, at first use."""
    with _series_lock:
        found = _series.get((method, endpoint))
        if found is None:
            found = (Series if is_shared() else LocalSeries)(method, endpoint, success)
            _series[method, endpoint] = found
        return found


def _label(status: int) -> str:
    # A status is a number of three digits; whatever else an application sends is one label.
    return str(status) if status in range(100, 600) else OTHER
