"""What the server knows of a request and its handler does not: an optional ASGI middleware."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from app.series import SERVER_ERROR, Series, Tracker, status_of_error

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

TRACKER_ATTRIBUTE = "__vitalstream_tracker__"
"""Where a tracked handler keeps its `Tracker`, for the middleware to find by its route."""

SCOPE_KEY = "vitalstream.measured"
"""Set in the scope of a request that is being measured: a mounted application's middleware, and one
that was added twice, leave it alone."""


class Exchange:
    """One request seen by `MetricsMiddleware`; a tracked handler claims it by its endpoint."""

    __slots__ = ("_claimed", "_scope", "_send", "_start", "done")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._claimed: Series | None = None
        self.done = False
        self._start = perf_counter()

    def claim(self, tracker: Tracker) -> None:
        """The handler begins; only the outermost tracked handler of a request counts."""
        if self._claimed is None and not self.done:
            self._claimed = series = tracker.series(self._scope["method"])
            series.enter()

    def send(self, message: Message) -> Awaitable[None]:
        """The `send` that the application gets: it learns the status."""
        # No coroutine of its own: it is awaited twice in every request.
        if message["type"] == "http.response.start":
            self.finish(message["status"])
        return self._send(message)

    def finish(self, status: int) -> None:
        """The response begins, or there will be none; the first call counts."""
        if self.done:
            return
        self.done = True
        seconds = perf_counter() - self._start
        if self._claimed is not None:
            self._claimed.leave(status, seconds)
            return
        # The route is a tracked one, its handler never ran: 422, 405, a dependency that failed.
        tracker = getattr(self._scope.get("endpoint"), TRACKER_ATTRIBUTE, None)
        if tracker is not None:
            tracker.series(self._scope["method"]).count(status, seconds)


current_exchange: ContextVar[Exchange | None] = ContextVar("vitalstream_exchange", default=None)


class MetricsMiddleware:
    """Pure ASGI middleware that tells `track_request_metrics` what only the server knows.

    Optional, one line: `app.add_middleware(MetricsMiddleware)`, added last, so that it is the
    outermost. With it, for every handler that has the decorator:

    - the method is the request's, whatever arguments the handler has;
    - the status is the one really sent: a route's `status_code=201`, an exception handler that
      makes a 409 of a domain error, a response that could not be serialised (500);
    - a request whose handler never ran is counted too: 422, 405, a dependency that failed;
    - the duration is from the request's arrival until the response begins, dependencies included;
    - all series of all tracked routes exist, at 0, from the start.

    A streamed body's length does not count: a stream of vital signs would look like a slow answer.
    Requests of handlers without the decorator, and paths that do not exist, are not counted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._initialised = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._initialised:
            self._initialised = True
            _initialise(getattr(scope.get("app"), "routes", ()))
        if scope["type"] != "http" or SCOPE_KEY in scope:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        # Not the exchange itself: it refers to the scope, and a cycle would keep every request
        # until the next garbage collection.
        scope[SCOPE_KEY] = True
        token = current_exchange.set(exchange)
        try:
            await self._app(scope, receive, exchange.send)
        except BaseException as error:
            exchange.finish(status_of_error(error))
            raise
        finally:
            current_exchange.reset(token)
            # A server answers 500 for an application that returned without a response.
            if not exchange.done:
                exchange.finish(SERVER_ERROR)


def _initialise(routes: Iterable[Any]) -> None:
    for route in routes:
        tracker = getattr(getattr(route, "endpoint", None), TRACKER_ATTRIBUTE, None)
        if isinstance(tracker, Tracker):
            # Starlette adds HEAD to every GET: nobody needs its sixteen buckets until it is used.
            for method in set(getattr(route, "methods", None) or ()) - {"HEAD"}:
                tracker.series(method, getattr(route, "status_code", None))
        # Newer FastAPI keeps an included router as one route that refers to it.
        router = getattr(route, "original_router", route)
        _initialise(getattr(router, "routes", None) or ())
