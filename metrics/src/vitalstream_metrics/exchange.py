"""One HTTP request and its response, as the middleware sees them between server and application."""

from collections.abc import Awaitable
from contextvars import ContextVar
from sys import modules
from time import perf_counter
from typing import Any

from prometheus_client import Counter, Gauge

from vitalstream_metrics.asgi import Message, Receive, Scope, Send
from vitalstream_metrics.disconnects import has_client_left
from vitalstream_metrics.exemplars import trace_exemplar
from vitalstream_metrics.registry import REGISTRY
from vitalstream_metrics.requests import (
    CLIENT_CLOSED_REQUEST,
    SERVER_ERROR,
    Endpoint,
    status_of_error,
)
from vitalstream_metrics.routes import Choice, RouteTable

STREAMS_ACTIVE = Gauge(
    "http_streams_active",
    "Responses being streamed right now (server-sent events, downloads), by endpoint.",
    ["endpoint"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
STREAM_FAILURES = Counter(
    "http_stream_failures_total",
    "Responses that broke after they had begun, by endpoint; each is a 500 of its endpoint too.",
    ["endpoint"],
    registry=REGISTRY,
)
BACKGROUND_FAILURES = Counter(
    "background_task_failures_total",
    "Background tasks that failed after their response was sent, by endpoint.",
    ["endpoint"],
    registry=REGISTRY,
)

_BODIES = ("http.response.body", "http.response.zerocopysend", "http.response.pathsend")


class Exchange:
    """A request from its arrival to the end of its response.

    A response of one body message is counted when that message is sent. A streamed one is counted
    at its end, because only then is it known whether it broke; its duration is the time until it
    began, or a stream of vital signs would look like a slow answer.
    """

    # Class attributes, not slots: what most requests never set costs them nothing.
    _claimed = False
    _client_left = False
    _status = 0
    _stream: Any = None
    done = False

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, table: RouteTable, choice: Choice
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._table = table
        method = scope["method"]
        self._series, self._handler = choice.expected.get(method) or choice.expect(method)
        self._series.enter()
        self._start = perf_counter()

    def claim(self, endpoint: Endpoint) -> None:
        """Count the request under a tracked handler's endpoint; the first handler's counts."""
        if not self._claimed and not self.done:
            self._claimed = True
            self._move(endpoint)

    def _move(self, endpoint: Endpoint) -> None:
        series = endpoint.series(self._scope["method"])
        if series is not self._series:
            self._series.leave()
            series.enter()
            self._series = series

    async def receive(self) -> Message:
        """Receive for the application; notes that the client left."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._client_left = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send for the application; notes status, streams and the end of the response."""
        # No coroutine of its own: it is awaited twice in every request.
        kind = message["type"]
        if kind == "http.response.start":
            self._seconds = perf_counter() - self._start
            self._status = message["status"]
            for _, value in message.get("headers", ()):
                # Its first event may be minutes away.
                if value.startswith(b"text/event-stream"):
                    self._begin_stream()
        elif kind in _BODIES and not self.done:
            if message.get("more_body"):
                self._begin_stream()
            # A failure stays one: clients that gave up must not hide it.
            elif self._status < SERVER_ERROR and (
                self._client_left or has_client_left(self._receive)
            ):
                self._finish(CLIENT_CLOSED_REQUEST)
            else:
                self._finish(self._status)
        return self._send(message)

    def end(self, error: BaseException | None) -> None:
        """Note that the application returned, or raised `error`."""
        if self.done:
            if isinstance(error, Exception):
                BACKGROUND_FAILURES.labels(self._series.labels[1]).inc()
        elif not self._status:
            # A server answers 500 for an application that returned without a response.
            self._finish(status_of_error(error) if error else SERVER_ERROR)
        elif (
            self._client_left
            or has_client_left(self._receive)
            or (error is not None and status_of_error(error) == CLIENT_CLOSED_REQUEST)
        ):
            self._finish(CLIENT_CLOSED_REQUEST)
        else:
            STREAM_FAILURES.labels(self._series.labels[1]).inc()
            self._finish(SERVER_ERROR)

    def _begin_stream(self) -> None:
        if self._stream is not None:
            return
        self._find_endpoint()
        self._series.leave()
        endpoint = self._series.labels[1]
        STREAM_FAILURES.labels(endpoint)  # at 0 before the first can fail
        self._stream = STREAMS_ACTIVE.labels(endpoint)
        self._stream.inc()

    def _find_endpoint(self) -> None:
        # The router had the last word on which route it is.
        handler = self._scope.get("endpoint")
        if handler is not self._handler and handler is not None and not self._claimed:
            endpoint = self._table.endpoint_of(handler, self._scope)
            if endpoint is not None:
                self._move(endpoint)

    def _finish(self, status: int) -> None:
        self.done = True
        seconds = self._seconds if self._status else perf_counter() - self._start
        exemplar = trace_exemplar() if "opentelemetry.trace" in modules else None
        if self._stream is None:
            if self._scope.get("endpoint") is not self._handler:
                self._find_endpoint()
            if exemplar is None:
                self._series.finish(status, seconds)
                return
            self._series.leave()
        else:
            self._stream.dec()
        if exemplar is None:
            self._series.count(status, seconds)
        else:
            self._series.count_with_exemplar(status, seconds, exemplar)


current_exchange: ContextVar[Exchange | None] = ContextVar("vitalstream_exchange", default=None)
