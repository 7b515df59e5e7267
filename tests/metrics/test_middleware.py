"""`MetricsMiddleware`: what is counted of a request beyond its handler."""

import asyncio
from typing import Any

import pytest
from fastapi import Depends, HTTPException, Request
from starlette.responses import JSONResponse

from app.metrics import MetricsMiddleware, track_request_metrics
from tests.metrics.application import (
    Item,
    call,
    in_progress,
    new_endpoint,
    requests,
    value,
    with_middleware,
)


@pytest.fixture
def endpoint() -> str:
    return new_endpoint()


def test_the_middleware_knows_the_method_of_a_handler_without_a_request(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x")
    @track_request_metrics(endpoint)
    async def handler(item: Item) -> str:
        return item.name

    assert call(app, "POST", "/x", json={"name": "ecg"}).json() == "ecg"
    assert requests(endpoint) == {("POST", "200"): 1}


def test_the_middleware_counts_the_status_that_was_sent(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x", status_code=201)
    @track_request_metrics(endpoint)
    def handler() -> str:
        return "made"

    call(app, "POST", "/x")
    assert requests(endpoint) == {("POST", "201"): 1}


def test_the_middleware_counts_what_an_exception_handler_made_of_an_error(endpoint: str) -> None:
    app = with_middleware()

    @app.exception_handler(LookupError)
    async def conflict(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({}, status_code=409)

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise LookupError

    assert call(app, "GET", "/x").status_code == 409
    assert requests(endpoint) == {("GET", "409"): 1}


def test_the_middleware_counts_an_unexpected_exception_as_a_500(endpoint: str) -> None:
    app = with_middleware()

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise RuntimeError

    assert call(app, "GET", "/x").status_code == 500
    assert requests(endpoint) == {("GET", "500"): 1}
    assert in_progress(endpoint) == 0


def test_the_middleware_counts_a_request_whose_dependency_failed(endpoint: str) -> None:
    app = with_middleware()

    def database() -> None:
        raise HTTPException(503)

    @app.get("/x", dependencies=[Depends(database)])
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    assert requests(endpoint) == {("GET", "503"): 1}


def test_the_middleware_counts_a_request_that_was_not_valid(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x")
    @track_request_metrics(endpoint)
    async def handler(item: Item) -> None: ...

    call(app, "POST", "/x", json={})
    assert requests(endpoint) == {("POST", "422"): 1}


def test_the_middleware_times_a_handlers_dependencies_too(endpoint: str) -> None:
    app = with_middleware()

    async def slow() -> None:
        await asyncio.sleep(0.06)

    @app.get("/x", dependencies=[Depends(slow)])
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    labels = {"method": "GET", "endpoint": endpoint}
    assert (value("http_request_duration_seconds_sum", **labels) or 0) >= 0.06


def test_with_the_middleware_all_tracked_routes_exist_at_0_from_the_start(endpoint: str) -> None:
    app = with_middleware()

    @app.delete("/x", status_code=204)
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/elsewhere")
    assert value("http_requests_total", method="DELETE", endpoint=endpoint, status="204") == 0
    assert value("http_requests_total", method="DELETE", endpoint=endpoint, status="500") == 0


def test_two_middlewares_count_a_request_once(endpoint: str) -> None:
    app = with_middleware()
    app.add_middleware(MetricsMiddleware)

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    assert requests(endpoint) == {("GET", "200"): 1}


def test_an_application_that_returns_without_an_answer_leaves_nothing_in_progress(
    endpoint: str,
) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await handler()

    async def send(message: Any) -> None: ...

    async def receive() -> Any: ...

    scope = {"type": "http", "method": "GET"}
    asyncio.run(MetricsMiddleware(silent)(scope, receive, send))
    assert requests(endpoint) == {("GET", "500"): 1}
    assert in_progress(endpoint) == 0
