"""HTTP requests: their metrics, the values of their labels, and the series of an endpoint."""

import asyncio
from typing import Any

from vitalstream_metrics.labels import OTHER
from vitalstream_metrics.series import Series, series_of

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)
"""The methods of RFC 9110 and RFC 5789; any other is counted as `other`."""

UNMATCHED = "(unmatched)"
"""Endpoint of all requests that no route matches: a wrong prefix, a scanner."""

CLIENT_CLOSED_REQUEST = 499
"""Status of a request whose client left before the whole answer was sent: nginx's convention. It is
no 5xx, so impatient clients cannot raise HighErrorRate."""

SERVER_ERROR = 500
DEFAULT_METHOD = "GET"


class Endpoint:
    """The series of one endpoint label, by method."""

    __slots__ = ("_method", "_series", "_success", "label")

    def __init__(self, label: str, method: str | None = None, success: int | None = None) -> None:
        """`method` replaces what a request says; `success` is the usual status, 200 if unknown."""
        self.label = label
        self._method = method.upper() if method else None
        self._success = success
        self._series: dict[str, Series] = {}
        if self._method:
            self.series(self._method)

    def series(self, method: str, success: int | None = None) -> Series:
        """Return the series of `method`; made at 0 at its first use."""
        return self._series.get(method) or self._add(method, success)

    def _add(self, method: str, success: int | None) -> Series:
        method = self._method or method
        label = method if method in METHODS else OTHER
        series = self._series.get(label)
        if series is None:
            series = series_of(label, self.label, self._success or success or 200)
            self._series[label] = series
        if self._method:
            # Bounded: clients' inventions must not fill the dict.
            self._series.update(dict.fromkeys(METHODS, series))
        return series


def status_of_error(error: BaseException) -> int:
    """Return the status that a client gets for `error`.

    An HTTP exception's own, 499 if the request was cancelled or its client left, else 500.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, asyncio.CancelledError | GeneratorExit) or "ClientDisconnect" in names:
        return CLIENT_CLOSED_REQUEST
    # By name: a status_code alone is also on errors of HTTP clients, where it is another server's.
    status: Any = getattr(error, "status_code", None)
    return status if isinstance(status, int) and "HTTPException" in names else SERVER_ERROR
