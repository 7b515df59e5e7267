"""WebSockets: connections, messages and closes, and no HTTP request among them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from prometheus_client import generate_latest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from tests.metrics.application import new_endpoint, value, with_middleware
from vitalstream_metrics import REGISTRY, track_request_metrics


@pytest.fixture
def path() -> str:
    return new_endpoint()


def figures() -> dict[str, float]:
    """Return the WebSocket metrics."""
    return {
        "active": value("websocket_connections_active") or 0,
        "received": value("websocket_messages_total", direction="received") or 0,
        "sent": value("websocket_messages_total", direction="sent") or 0,
        "rejected": value("websocket_rejected_total") or 0,
        **{
            code: value("websocket_closed_total", code=code) or 0
            for code in ("1000", "1001", "1006", "1011", "4000", "other")
        },
    }


@pytest.fixture
def changed() -> Callable[[], dict[str, float]]:
    before = figures()
    return lambda: {k: v - before[k] for k, v in figures().items() if v != before[k]}


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text(await websocket.receive_text())


def connect(app: FastAPI, path: str, messages: int = 0, code: int = 1000) -> None:
    # The client ends with the handler's exception, a disconnect.
    with suppress(WebSocketDisconnect), TestClient(app).websocket_connect(path) as client:
        for _ in range(messages):
            client.send_text("x")
            client.receive_text()
        client.close(code)


@pytest.mark.parametrize("decorated", [True, False])
def test_websocket_that_is_closed_is_counted_by_its_code_and_never_as_http(
    path: str, decorated: bool, changed: Callable[[], dict[str, float]]
) -> None:
    app = with_middleware()
    app.websocket(path)(track_request_metrics(path)(echo) if decorated else echo)
    connect(app, path, messages=3)
    assert changed() == {"received": 3, "sent": 3, "1000": 1}
    assert path not in generate_latest(REGISTRY).decode()


def test_websocket_is_active_while_it_is_open(path: str) -> None:
    app = with_middleware()
    app.websocket(path)(echo)
    before = value("websocket_connections_active") or 0
    with suppress(WebSocketDisconnect), TestClient(app).websocket_connect(path) as client:
        client.send_text("x")
        client.receive_text()
        assert value("websocket_connections_active") == before + 1
    assert value("websocket_connections_active") == before


def test_websocket_that_the_server_closes_is_counted_by_its_code(
    path: str, changed: Callable[[], dict[str, float]]
) -> None:
    async def close(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4000)

    app = with_middleware()
    app.websocket(path)(close)
    with TestClient(app).websocket_connect(path) as client, pytest.raises(WebSocketDisconnect):
        client.receive_text()
    assert changed() == {"4000": 1}


def test_websocket_whose_handler_fails_is_a_1011(
    path: str, changed: Callable[[], dict[str, float]]
) -> None:
    async def fail(websocket: WebSocket) -> None:
        await websocket.accept()
        raise RuntimeError("bug")

    app = with_middleware()
    app.websocket(path)(fail)
    with pytest.raises(RuntimeError), TestClient(app).websocket_connect(path) as client:
        client.receive_text()
    assert changed() == {"1011": 1}


def test_websocket_that_is_refused_is_no_closed_connection(
    path: str, changed: Callable[[], dict[str, float]]
) -> None:
    async def refuse() -> None:
        raise HTTPException(401)

    app = with_middleware()
    app.websocket(path, dependencies=[Depends(refuse)])(echo)
    with pytest.raises(BaseException), TestClient(app).websocket_connect(path):  # noqa: B017, PT011
        pass
    assert changed() == {"rejected": 1}


def test_websocket_handler_without_the_middleware_is_not_counted_as_http(path: str) -> None:
    @track_request_metrics(path)
    async def by_any_name(socket):  # type: ignore[no-untyped-def]
        await echo(socket)

    app = FastAPI()
    app.routes.append(WebSocketRoute(path, by_any_name))
    connect(app, path, messages=1)
    assert path not in generate_latest(REGISTRY).decode()


def test_websocket_codes_of_clients_are_bounded(path: str) -> None:
    app = with_middleware()
    app.websocket(path)(echo)
    for code in range(3000, 3100):
        connect(app, path, code=code)
    page = generate_latest(REGISTRY).decode()
    codes = [line for line in page.splitlines() if line.startswith("websocket_closed_total{")]
    assert len(codes) < 50
    labels = {"metric": "websocket_closed_total", "label": "code"}
    assert (value("metrics_labels_dropped_total", **labels) or 0) >= 60


def test_websocket_that_the_application_leaves_without_a_word_is_a_1006(
    path: str, changed: Callable[[], dict[str, float]]
) -> None:
    async def leave(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    app = with_middleware()
    app.mount(path, leave)

    async def run() -> None:
        async def ignore(*message: Any) -> Any: ...

        scope = {"type": "websocket", "path": path + "/x", "headers": [], "query_string": b""}
        await app(scope, ignore, ignore)

    asyncio.run(run())
    assert changed() == {"1006": 1}
