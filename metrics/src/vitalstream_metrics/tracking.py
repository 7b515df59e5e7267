"""Decorator `track_request_metrics`, which counts a handler under its own endpoint name."""

import functools
import inspect
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, ParamSpec, TypeVar, cast

from vitalstream_metrics.exchange import current_exchange
from vitalstream_metrics.exemplars import trace_exemplar
from vitalstream_metrics.requests import DEFAULT_METHOD, Endpoint, status_of_error
from vitalstream_metrics.routes import ENDPOINT_ATTRIBUTE
from vitalstream_metrics.series import Series

P = ParamSpec("P")
R = TypeVar("R")


class Tracker:
    """Tracked handler: finds method and status of a call in its arguments."""

    __slots__ = ("_default", "_method", "_request", "_response", "_status", "endpoint")

    def __init__(
        self, endpoint: Endpoint, method: str | None, status: int | None, func: Callable[..., Any]
    ) -> None:
        self.endpoint = endpoint
        self._method = (method or DEFAULT_METHOD).upper()
        self._status = status
        self._default: Series | None = None
        parameters = list(inspect.signature(func).parameters.values())
        self._request = None if method else find_parameter(parameters, "Request", "request")
        self._response = find_parameter(parameters, "Response", "response")

    def series(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Series:
        """Return the series of a call's method, as far as the handler's arguments have it."""
        if self._request is None:
            if self._default is None:
                self._default = self.endpoint.series(self._method)
            return self._default
        method = getattr(argument(self._request, args, kwargs), "method", None)
        return self.endpoint.series(method if isinstance(method, str) else self._method)

    def status(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Return the status that a handler's return value becomes, where nothing failed."""
        # A response is an ASGI app too: a plain model that happens to have a status_code is not.
        status = getattr(result, "status_code", None)
        if isinstance(status, int) and callable(result):
            return status
        if self._response is not None:
            status = getattr(argument(self._response, args, kwargs), "status_code", None)
            if isinstance(status, int):
                return status
        return self._status or 200


def _finish(series: Series, status: int, start: float) -> None:
    seconds = perf_counter() - start
    exemplar = trace_exemplar()
    if exemplar is None:
        series.finish(status, seconds)
    else:
        series.leave()
        series.count_with_exemplar(status, seconds, exemplar)


def track_request_metrics(
    endpoint: str, *, method: str | None = None, status: int | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Count and time the requests of a handler under the label `endpoint`.

    Put it under the route's decorator, so that the route gets the tracked handler::

        @router.get("/api/v1/patients")
        @track_request_metrics("/api/v1/patients")
        async def get_patients(): ...

    `async def` stays async, `def` stays sync (FastAPI runs it in its threadpool), and the signature
    is kept, so dependencies are injected as before. Whatever the handler raises is raised.

    With `MetricsMiddleware` the decorator only gives the route another name than its template:
    method, status and duration are the request's. Without it:

    - the method is `method`, else that of the handler's `Request` argument, else `GET`. A handler
      of another method that takes no `Request` needs `method="POST"`;
    - the status is the returned response's; that of the raised HTTP exception; 500 for any other
      exception; 499 if the request was cancelled; for a plain value, what the handler set on its
      `Response` argument, else `status`, else 200;
    - the duration is the handler's own.

    A WebSocket is no HTTP request: its handler is left as it is, the middleware counts it.

    `endpoint` is a template (`/patients/{id}`), never a path with an id in it: each value is a
    series for ever. Raises `TypeError` when used without an endpoint, or on a generator.
    """
    if not isinstance(endpoint, str):
        raise TypeError("write @track_request_metrics('/the/endpoint'), with the endpoint's path")
    label = Endpoint(endpoint, method, status)

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"{func.__qualname__} is a generator: return a StreamingResponse of it instead"
            )
        parameters = list(inspect.signature(func).parameters.values())
        if find_parameter(parameters, "WebSocket", "websocket"):
            return func
        tracker = Tracker(label, method, status, func)
        is_async = inspect.iscoroutinefunction(func)
        wrapper = _track_async(func, tracker) if is_async else _track_sync(func, tracker)
        setattr(wrapper, ENDPOINT_ATTRIBUTE, label)
        return cast("Callable[P, R]", wrapper)

    return decorate


def _track_async(func: Callable[..., Any], tracker: Tracker) -> Callable[..., Any]:
    @functools.wraps(func)
    async def tracked(*args: Any, **kwargs: Any) -> Any:
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.claim(tracker.endpoint)
            return await func(*args, **kwargs)
        if args and is_websocket(args[0]):
            return await func(*args, **kwargs)
        series = tracker.series(args, kwargs)
        series.enter()
        start = perf_counter()
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            _finish(series, status_of_error(error), start)
            raise
        _finish(series, tracker.status(result, args, kwargs), start)
        return result

    return tracked


def _track_sync(func: Callable[..., Any], tracker: Tracker) -> Callable[..., Any]:
    @functools.wraps(func)
    def tracked(*args: Any, **kwargs: Any) -> Any:
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.claim(tracker.endpoint)
            return func(*args, **kwargs)
        series = tracker.series(args, kwargs)
        series.enter()
        start = perf_counter()
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            _finish(series, status_of_error(error), start)
            raise
        _finish(series, tracker.status(result, args, kwargs), start)
        return result

    return tracked


def is_websocket(connection: Any) -> bool:
    """Return whether a handler's first argument is a WebSocket; Starlette takes any name for it."""
    scope = getattr(connection, "scope", None)
    return isinstance(scope, dict) and scope.get("type") == "websocket"


def find_parameter(
    parameters: Sequence[inspect.Parameter], type_name: str, name: str
) -> tuple[int, str] | None:
    """Return position and name of the parameter annotated with a class called `type_name`, or,
    where it has no annotation, called `name`."""
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
    """Return the argument that `find_parameter` found, in one call; None if it was not given."""
    if where is None:
        return None
    position, name = where
    return args[position] if position < len(args) else kwargs.get(name)
