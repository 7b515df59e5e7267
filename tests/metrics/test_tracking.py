"""`track_request_metrics` on its own: what a handler keeps and what of it is counted."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.metrics import track_request_metrics
from tests.metrics.application import Item, call, new_endpoint, requests


@pytest.fixture
def endpoint() -> str:
    return new_endpoint()


def test_an_async_handler_is_counted_and_returns_its_value(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> str:
        return "answer"

    assert asyncio.run(handler()) == "answer"
    assert requests(endpoint) == {("GET", "200"): 1}


def test_a_sync_handler_is_counted_and_stays_sync(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> str:
        return "answer"

    assert not inspect.iscoroutinefunction(handler)
    assert handler() == "answer"
    assert requests(endpoint) == {("GET", "200"): 1}


def test_an_async_handler_stays_async(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    assert inspect.iscoroutinefunction(handler)


def test_name_docstring_and_signature_are_kept(endpoint: str) -> None:
    async def handler(patient_id: int, *, limit: int = 20, item: Item | None = None) -> list[int]:
        """Return its items."""
        return []

    tracked = track_request_metrics(endpoint)(handler)
    assert inspect.signature(tracked) == inspect.signature(handler)
    assert (tracked.__name__, tracked.__doc__) == ("handler", "Return its items.")


def test_fastapi_injects_dependencies_into_a_tracked_handler(endpoint: str) -> None:
    app = FastAPI()

    @app.get("/x/{number}")
    @track_request_metrics(endpoint)
    def handler(number: int, limit: int = 5, user: str = Depends(lambda: "nurse")) -> list[Any]:
        return [number, limit, user]

    assert call(app, "GET", "/x/3?limit=7").json() == [3, 7, "nurse"]


@pytest.mark.parametrize("status", [204, 304, 418, 503])
def test_the_status_of_a_returned_response_is_counted(endpoint: str, status: int) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> Response:
        return Response(status_code=status)

    asyncio.run(handler())
    assert requests(endpoint) == {("GET", str(status)): 1}


def test_a_plain_value_that_has_a_status_code_is_no_response(endpoint: str) -> None:
    class Upstream(BaseModel):
        status_code: int = 502

    @track_request_metrics(endpoint)
    async def handler() -> Upstream:
        return Upstream()

    asyncio.run(handler())
    assert requests(endpoint) == {("GET", "200"): 1}


@pytest.mark.parametrize("kind", [HTTPException, StarletteHTTPException])
def test_the_status_of_a_raised_http_exception_is_counted(endpoint: str, kind: type) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise kind(status_code=404)

    with pytest.raises(kind):
        asyncio.run(handler())
    assert requests(endpoint) == {("GET", "404"): 1}


def test_an_unexpected_exception_is_a_500_and_goes_on(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None:
        raise ZeroDivisionError("the cause")

    with pytest.raises(ZeroDivisionError, match="the cause"):
        handler()
    assert requests(endpoint) == {("GET", "500"): 1}


def test_another_servers_status_in_an_exception_is_a_500_of_ours(endpoint: str) -> None:
    class UpstreamError(Exception):
        status_code = 404

    @track_request_metrics(endpoint)
    def handler() -> None:
        raise UpstreamError

    with pytest.raises(UpstreamError):
        handler()
    assert requests(endpoint) == {("GET", "500"): 1}


def test_a_cancelled_request_is_a_499_and_no_server_error(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(handler())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert requests(endpoint) == {("GET", "499"): 1}


def test_an_explicit_method_and_status_are_taken(endpoint: str) -> None:
    @track_request_metrics(endpoint, method="post", status=201)
    async def handler() -> None: ...

    asyncio.run(handler())
    assert requests(endpoint) == {("POST", "201"): 1}


@pytest.mark.parametrize("name", ["request", "asked"])
def test_the_method_is_that_of_the_handlers_request(endpoint: str, name: str) -> None:
    app = FastAPI()

    async def by_usual_name(request: Request) -> None: ...

    async def by_annotation(asked: Request) -> None: ...

    handler: Callable[..., Awaitable[None]]
    handler = by_usual_name if name == "request" else by_annotation
    app.put("/x")(track_request_metrics(endpoint)(handler))
    call(app, "PUT", "/x")
    assert requests(endpoint) == {("PUT", "200"): 1}


def test_a_starlette_handler_gets_its_request_by_position(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler(request):  # type: ignore[no-untyped-def]
        return PlainTextResponse("removed")

    app = FastAPI()
    app.routes.append(Route("/x", handler, methods=["DELETE"]))
    assert call(app, "DELETE", "/x").text == "removed"
    assert requests(endpoint) == {("DELETE", "200"): 1}


def test_the_status_set_on_an_injected_response_is_counted(endpoint: str) -> None:
    app = FastAPI()

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler(response: Response) -> str:
        response.status_code = 202
        return "accepted"

    assert call(app, "GET", "/x").status_code == 202
    assert requests(endpoint) == {("GET", "202"): 1}


def test_methods_of_a_clients_invention_share_one_label(endpoint: str) -> None:
    app = FastAPI()

    async def handler(request: Request) -> Response:
        return Response()

    app.routes.append(
        Route("/x", track_request_metrics(endpoint)(handler), methods=["BREW", "WHEN"])
    )
    call(app, "BREW", "/x")
    call(app, "WHEN", "/x")
    assert requests(endpoint) == {("other", "200"): 2}


def test_the_decorator_without_an_endpoint_is_refused() -> None:
    def handler() -> None: ...

    with pytest.raises(TypeError, match="with the endpoint's path"):
        track_request_metrics(handler)  # type: ignore[arg-type]


def test_a_generator_is_refused_because_its_end_is_not_the_answer(endpoint: str) -> None:
    async def handler() -> Any:
        yield 1

    with pytest.raises(TypeError, match="StreamingResponse"):
        track_request_metrics(endpoint)(handler)
