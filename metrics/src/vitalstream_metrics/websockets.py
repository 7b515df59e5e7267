"""WebSockets: connections, messages and how connections end. No WebSocket is an HTTP request."""

from typing import Any

from prometheus_client import Counter, Gauge

from vitalstream_metrics.asgi import ASGIApp, Message, Receive, Scope, Send
from vitalstream_metrics.labels import BoundedMetric
from vitalstream_metrics.registry import REGISTRY

NORMAL_CLOSURE = 1000
ABNORMAL_CLOSURE = 1006
INTERNAL_ERROR = 1011
"""Codes of RFC 6455, section 7.4.1."""

CODES = ("1000", "1001", "1005", "1006", "1008", "1009", "1011", "1012", "1013")

ACTIVE = Gauge(
    "websocket_connections_active",
    "WebSocket connections that are open right now.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
MESSAGES = Counter(
    "websocket_messages_total",
    "WebSocket messages, by direction: received from clients, sent to them.",
    ["direction"],
    registry=REGISTRY,
)
CLOSED = Counter(
    "websocket_closed_total",
    "WebSocket connections that ended, by close code (RFC 6455); 1011 if the handler failed.",
    ["code"],
    registry=REGISTRY,
)
REJECTED = Counter(
    "websocket_rejected_total",
    "WebSocket connections that were refused before they were accepted.",
    registry=REGISTRY,
)

_received = MESSAGES.labels("received").inc
_sent = MESSAGES.labels("sent").inc
_closed = BoundedMetric(CLOSED, "inc", [CODES])
for _code in CODES:
    _closed.create(_code)


class Connection:
    """One WebSocket connection, from its handshake to its end."""

    __slots__ = ("_code", "_open", "_receive", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._open = False
        self._code: int | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application, and count the connection when it ends."""
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:
            # Starlette raises the client's close where a handler awaits a message.
            code: Any = getattr(error, "code", None)
            left = type(error).__name__ == "WebSocketDisconnect" and isinstance(code, int)
            self._end(code if left else INTERNAL_ERROR)
            raise
        finally:
            self._end(ABNORMAL_CLOSURE)

    async def receive(self) -> Message:
        """Receive for the application; counts messages and the client's close."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            _received()
        elif message["type"] == "websocket.disconnect":
            self._end(message.get("code") or 1005)
        return message

    async def send(self, message: Message) -> None:
        """Send for the application; counts messages, and the connection as open or refused."""
        await self._send(message)
        kind = message["type"]
        if kind == "websocket.send":
            _sent()
        elif kind == "websocket.accept":
            self._open = True
            ACTIVE.inc()
        elif kind == "websocket.close":
            self._end(message.get("code") or NORMAL_CLOSURE)

    def _end(self, code: int) -> None:
        if self._code is not None:
            return
        self._code = code
        if self._open:
            ACTIVE.dec()
            _closed.child(str(code))()
        else:
            REJECTED.inc()
