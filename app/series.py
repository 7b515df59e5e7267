"""The series of one HTTP request: what is counted, under which labels, and how it is found out.

Nothing here needs a web framework: a request, a response and an HTTP exception are recognised by
what they look like in Starlette and FastAPI. It runs in every request, so label children are looked
up when a method or a status is first seen, and kept as bound methods in plain dicts.
"""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""The methods that get a label of their own; any other is counted as `OTHER`, so that a client
cannot make new series at will."""

CLIENT_CLOSED_REQUEST = 499
"""Status of a request that was cancelled because its client went away: nginx's convention. It is no
5xx, so impatient clients cannot raise HighErrorRate."""

SERVER_ERROR = 500
DEFAULT_METHOD = "GET"

DURATION_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9),
    *(1.0, 1.1, 1.25, 1.5, 2.5, 5.0, 10.0),
)
"""Seconds. HighResponseTime asks whether the p95 is above 1 s: exact, because 1 s is a bound. The
close bounds around it make the figure that is shown accurate to about 0.1 s there."""

REQUESTS = Counter(
    "http_requests_total",
    "HTTP requests answered, by method, endpoint and status code.",
    ["method", "endpoint", "status"],
)
REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Seconds until the response began, by method and endpoint.",
    ["method", "endpoint"],
    buckets=DURATION_BUCKETS,
)
IN_PROGRESS = Gauge(
    "http_requests_in_progress",
    "HTTP requests being handled right now, by method and endpoint.",
    ["method", "endpoint"],
    multiprocess_mode="livesum",
)


class Series:
    """The label children of one method of one endpoint, ready to be called."""

    __slots__ = ("_by_status", "_endpoint", "_leave", "_method", "_observe", "enter")

    def __init__(self, method: str, endpoint: str, success: int) -> None:
        self._method = method
        self._endpoint = endpoint
        in_progress = IN_PROGRESS.labels(method, endpoint)
        self.enter: Callable[[], None] = in_progress.inc
        self._leave: Callable[[], None] = in_progress.dec
        self._observe: Callable[[float], None] = REQUEST_DURATION.labels(method, endpoint).observe
        self._by_status: dict[int, Callable[[], None]] = {}
        # A counter that is born at 1 has no rate: its first 500 would go unseen.
        self._add(success)
        self._add(SERVER_ERROR)

    def _add(self, status: int) -> Callable[[], None]:
        count: Callable[[], None]
        count = REQUESTS.labels(self._method, self._endpoint, str(status)).inc
        self._by_status[status] = count
        return count

    def count(self, status: int, seconds: float) -> None:
        """Count a request that was never in progress."""
        (self._by_status.get(status) or self._add(status))()
        self._observe(seconds)

    def leave(self, status: int, seconds: float) -> None:
        """Count a request that was in progress and is no more."""
        # As count() does, without the call.
        self._leave()
        (self._by_status.get(status) or self._add(status))()
        self._observe(seconds)


class Tracker:
    """One tracked handler: its endpoint label, and how to learn method and status from a call."""

    __slots__ = ("_method", "_request", "_response", "_series", "_status", "endpoint")

    def __init__(
        self, endpoint: str, method: str | None, status: int | None, func: Callable[..., Any]
    ) -> None:
        self.endpoint = endpoint
        self._method = method.upper() if method else None
        self._status = status
        self._series: dict[str, Series] = {}
        parameters = list(inspect.signature(func).parameters.values())
        self._request = find_parameter(parameters, "Request", "request")
        self._response = find_parameter(parameters, "Response", "response")
        if self._method:
            self.series(self._method)

    def series(self, method: str, success: int | None = None) -> Series:
        """The children of `method`, made at 0 on first use, for `success` and 500."""
        return self._series.get(method) or self._add(self._method or method, success)

    def _add(self, method: str, success: int | None) -> Series:
        method = method if method in METHODS else "OTHER"
        if method not in self._series:
            self._series[method] = Series(method, self.endpoint, self._status or success or 200)
        return self._series[method]

    def series_of_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Series:
        """The children of a call's method, as far as the handler's arguments tell it."""
        method = self._method or DEFAULT_METHOD
        if self._method is None and self._request is not None:
            found = getattr(argument(self._request, args, kwargs), "method", None)
            method = found if isinstance(found, str) else DEFAULT_METHOD
        return self._series.get(method) or self._add(method, None)

    def status_of_result(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """The status that a handler's return value becomes, where nothing failed."""
        # A response is an ASGI app too: a plain model that happens to have a status_code is not.
        status = getattr(result, "status_code", None)
        if isinstance(status, int) and callable(result):
            return status
        if self._response is not None:
            status = getattr(argument(self._response, args, kwargs), "status_code", None)
            if isinstance(status, int):
                return status
        return self._status or 200


def find_parameter(
    parameters: Sequence[inspect.Parameter], type_name: str, name: str
) -> tuple[int, str] | None:
    """Position and name of the parameter annotated with a class called `type_name`, or, where it
    has no annotation, called `name`."""
    for position, parameter in enumerate(parameters):
        annotation = parameter.annotation
        if isinstance(annotation, str):
            types = {annotation.rsplit(".", 1)[-1]}
        else:
            types = {cls.__name__ for cls in getattr(annotation, "__mro__", ())}
        if type_name in types or (annotation is parameter.empty and parameter.name == name):
            return position, parameter.name
    return None


def argument(where: tuple[int, str] | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The argument that `find_parameter` found, in one call; None if it was not given."""
    if where is None:
        return None
    position, name = where
    return args[position] if position < len(args) else kwargs.get(name)


def status_of_error(error: BaseException) -> int:
    """The status a client gets for `error`: an HTTP exception's own, 499 if cancelled, else 500."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, asyncio.CancelledError | GeneratorExit) or "ClientDisconnect" in names:
        return CLIENT_CLOSED_REQUEST
    # By name: a status_code alone is also on errors of HTTP clients, where it is another server's.
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and "HTTPException" in names else SERVER_ERROR
