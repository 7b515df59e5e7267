"""The decorator `track_request_metrics`; import it from `app.metrics`."""

import functools
import inspect
from collections.abc import Callable
from time import perf_counter
from typing import Any, ParamSpec, TypeVar, cast

from app.middleware import TRACKER_ATTRIBUTE, current_exchange
from app.series import Tracker, status_of_error

P = ParamSpec("P")
R = TypeVar("R")


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

    The method is, in this order: `method`; that of the request `MetricsMiddleware` saw; that of the
    handler's `Request` argument; `GET`. So without the middleware, a handler of another method that
    takes no `Request` needs `method="POST"`.

    The status is the one sent, with the middleware. Without it: the returned response's; that of
    the raised HTTP exception; 500 for any other exception; 499 if the request was cancelled
    (`CLIENT_CLOSED_REQUEST`); for a plain value, what the handler set on its `Response` argument,
    else `status`, else 200. The duration is then the handler's own.

    `endpoint` is a template (`/patients/{id}`), never a path with an id in it: each value is a
    series for ever. Raises `TypeError` when used without an endpoint, or on a generator.
    """
    if not isinstance(endpoint, str):
        raise TypeError("write @track_request_metrics('/the/endpoint'), with the endpoint's path")

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"{func.__qualname__} is a generator: return a StreamingResponse of it instead"
            )
        tracker = Tracker(endpoint, method, status, func)
        is_async = inspect.iscoroutinefunction(func)
        wrapper = _track_async(func, tracker) if is_async else _track_sync(func, tracker)
        setattr(wrapper, TRACKER_ATTRIBUTE, tracker)
        return cast("Callable[P, R]", wrapper)

    return decorate


def _track_async(func: Callable[..., Any], tracker: Tracker) -> Callable[..., Any]:
    @functools.wraps(func)
    async def tracked(*args: Any, **kwargs: Any) -> Any:
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.claim(tracker)
            return await func(*args, **kwargs)
        series = tracker.series_of_call(args, kwargs)
        series.enter()
        start = perf_counter()
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            series.leave(status_of_error(error), perf_counter() - start)
            raise
        series.leave(tracker.status_of_result(result, args, kwargs), perf_counter() - start)
        return result

    return tracked


def _track_sync(func: Callable[..., Any], tracker: Tracker) -> Callable[..., Any]:
    @functools.wraps(func)
    def tracked(*args: Any, **kwargs: Any) -> Any:
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.claim(tracker)
            return func(*args, **kwargs)
        series = tracker.series_of_call(args, kwargs)
        series.enter()
        start = perf_counter()
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            series.leave(status_of_error(error), perf_counter() - start)
            raise
        series.leave(tracker.status_of_result(result, args, kwargs), perf_counter() - start)
        return result

    return tracked
