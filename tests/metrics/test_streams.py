"""Responses that are streamed, clients that leave, and tasks that run after the response."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse

from tests.metrics.application import (
    call,
    in_progress,
    new_endpoint,
    requests,
    value,
    with_middleware,
)
from vitalstream_metrics import MetricsMiddleware


@pytest.fixture
def endpoint() -> str:
    return new_endpoint()


def active(endpoint: str) -> float | None:
    return value("http_streams_active", endpoint=endpoint)


def failures(endpoint: str) -> float | None:
    return value("http_stream_failures_total", endpoint=endpoint)


async def drive(
    app: Any, path: str, during: Callable[[], Any], leave: asyncio.Event | None = None
) -> None:
    """Run one GET as a server does; `during` is called at each message, `leave` disconnects."""
    left = leave or asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        during()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
    await app(scope, receive, send)


def streaming(
    endpoint: str, chunks: Callable[[], AsyncIterator[str]], media_type: str = "text/event-stream"
) -> FastAPI:
    app = with_middleware()

    @app.get(endpoint)
    async def handler() -> StreamingResponse:
        return StreamingResponse(chunks(), media_type=media_type)

    return app


def test_stream_is_active_until_its_end_and_counted_there(endpoint: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        for _ in range(3):
            yield "data: 1\n\n"

    seen: list[tuple[float | None, float | None]] = []
    app = streaming(endpoint, chunks)
    asyncio.run(
        drive(app, endpoint, lambda: seen.append((active(endpoint), in_progress(endpoint))))
    )
    assert seen[:4] == [(1, 0)] * 4
    assert (active(endpoint), requests(endpoint)) == (0, {("GET", "200"): 1})
    assert failures(endpoint) == 0


def test_stream_of_events_is_no_request_in_progress_before_its_first_event(endpoint: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        seen.append((active(endpoint), in_progress(endpoint)))
        yield "data: 1\n\n"

    seen: list[tuple[float | None, float | None]] = []
    asyncio.run(drive(streaming(endpoint, chunks), endpoint, lambda: None))
    assert seen == [(1, 0)]


def test_streams_duration_is_the_time_until_it_began(endpoint: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(0.2)
        yield "last"

    asyncio.run(drive(streaming(endpoint, chunks, "text/csv"), endpoint, lambda: None))
    labels = {"method": "GET", "endpoint": endpoint}
    assert (value("http_request_duration_seconds_sum", **labels) or 1) < 0.2


def test_stream_that_breaks_after_its_start_is_a_500_and_a_stream_failure(endpoint: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        raise RuntimeError("the sensor is gone")

    with pytest.raises(BaseException):  # noqa: B017, PT011 - an exception group in newer Starlette
        asyncio.run(drive(streaming(endpoint, chunks), endpoint, lambda: None))
    assert requests(endpoint) == {("GET", "500"): 1}
    assert (active(endpoint), failures(endpoint)) == (0, 1)


@pytest.mark.parametrize("media_type", ["text/event-stream", "text/csv"])
def test_stream_whose_client_leaves_is_a_499_and_no_failure(endpoint: str, media_type: str) -> None:
    async def chunks() -> AsyncIterator[str]:
        while True:
            yield "data: 1\n\n"
            await asyncio.sleep(0.01)

    async def leave_after_a_while() -> None:
        leave = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, leave.set)
        await drive(streaming(endpoint, chunks, media_type), endpoint, lambda: None, leave)

    asyncio.run(leave_after_a_while())
    assert requests(endpoint) == {("GET", "499"): 1}
    assert (active(endpoint), failures(endpoint)) == (0, 0)


class UvicornCycle:
    """Owner of uvicorn's `receive`, which knows whether a client left."""

    def __init__(self, disconnected: bool) -> None:
        self.disconnected = disconnected

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}


class HypercornQueue(asyncio.Queue):  # type: ignore[type-arg]
    async def receive(self) -> Any:
        return await self.get()


@pytest.mark.parametrize("status", [200, 503])
def test_answer_to_a_client_that_left_is_a_499_unless_it_is_a_failure(
    endpoint: str, status: int
) -> None:
    app = with_middleware()
    app.add_api_route(endpoint, lambda: None, status_code=status)
    scope = {"type": "http", "method": "GET", "path": endpoint, "headers": [], "query_string": b""}

    async def send(message: Any) -> None: ...

    queue = HypercornQueue()
    queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    queue.put_nowait({"type": "http.disconnect"})
    for receive in (UvicornCycle(True).receive, UvicornCycle(False).receive, queue.receive):
        asyncio.run(app(dict(scope), receive, send))
    found = {("GET", "503"): 3} if status == 503 else {("GET", "499"): 2, ("GET", "200"): 1}
    assert requests(endpoint) == found


def test_handler_that_fails_after_its_client_left_is_a_500(endpoint: str) -> None:
    app = with_middleware()

    @app.get(endpoint)
    async def handler() -> None:
        raise RuntimeError

    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": endpoint, "headers": [], "query_string": b""}
    with pytest.raises(RuntimeError):
        asyncio.run(app(scope, UvicornCycle(True).receive, send))
    assert requests(endpoint) == {("GET", "500"): 1}


def test_background_task_that_fails_is_counted_apart(endpoint: str) -> None:
    app = with_middleware()

    def fail() -> None:
        raise RuntimeError("no mail server")

    @app.get(endpoint)
    async def handler(tasks: BackgroundTasks) -> str:
        tasks.add_task(fail)
        return "accepted"

    assert call(app, "GET", endpoint).json() == "accepted"
    assert requests(endpoint) == {("GET", "200"): 1}
    assert value("background_task_failures_total", endpoint=endpoint) == 1


def test_response_through_a_base_http_middleware_is_counted_once(endpoint: str) -> None:
    async def dispatch(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    app.add_middleware(MetricsMiddleware)
    app.add_api_route(endpoint, lambda: "answer")
    call(app, "GET", endpoint)
    assert requests(endpoint) == {("GET", "200"): 1}
    assert (active(endpoint), in_progress(endpoint)) == (0, 0)


def test_response_that_begins_and_never_ends_is_a_500(endpoint: str) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    app = with_middleware()
    app.mount(endpoint, half)
    asyncio.run(drive(app, endpoint + "/x", lambda: None))
    assert requests(endpoint + "/{path}") == {("GET", "500"): 1}
    assert in_progress(endpoint + "/{path}") == 0
