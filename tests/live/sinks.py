"""Local replacement of Slack, the mail server and the heartbeat service.

It accepts everything over TLS and records it with its time of arrival.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.message
import email.policy
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.certificates import Authority

HEARTBEAT = "heartbeat"
STOP_SECONDS = 10


@dataclass(frozen=True)
class Message:
    """Message received: `to` is a Slack channel, a mail address or `heartbeat`; `at` is Unix time.

    `content` is all of it: Slack's attachment, the mail's parts by type, the webhook's body.
    """

    to: str
    title: str
    text: str
    at: float
    content: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """HTTP response sent instead of accepting a message."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Sink:
    """Messages of one stack.

    It accepts them at `slack_url`, `heartbeat_url` and `smarthost`; the mail server requires
    `login`. `refusals`, by Slack channel, says what is refused; `refused` holds the refused
    messages.
    """

    def __init__(self, address: str, login: tuple[str, str]) -> None:
        self.address = address
        self.login = login
        self.slack_url = self.heartbeat_url = self.smarthost = ""
        self.path = secrets.token_urlsafe(8)
        self.refusals: Mapping[str, Refusal] = {}
        self.refused: list[Message] = []
        self._messages: list[Message] = []
        self._changed = threading.Condition()

    @property
    def messages(self) -> list[Message]:
        """Return the messages received so far, in order."""
        with self._changed:
            return list(self._messages)

    def take(self, message: Message) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def answer(self, path: str, _headers: Any, body: bytes) -> Answer:
        """Take Slack's messages and heartbeats at their secret paths."""
        message = _posted(path, self.path, body)
        refusal = self.refusals.get(message.to) if message else Refusal(404)
        if refusal:
            if message:
                self.refused.append(message)
            headers = {"Content-Type": "text/plain", **refusal.headers}
            return Answer(refusal.status, b"no_service", headers)
        assert message is not None
        self.take(message)
        return Answer(200, b"ok")

    def wait_until(self, done: Callable[[list[Message]], bool], seconds: float) -> bool:
        """Return whether the messages satisfy `done` within the given seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: done(list(self._messages)), seconds)


@dataclass(frozen=True)
class Answer:
    """HTTP response of a local replacement."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain"})

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def server_context(authority: Authority, address: str) -> ssl.SSLContext:
    """Return a server's TLS context with a certificate of the authority for an address."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(authority.server(address))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@contextlib.contextmanager
def sink(authority: Authority, address: str, login: tuple[str, str]) -> Iterator[Sink]:
    """Run a sink at an address of this host, with a certificate of the authority."""
    found = Sink(address, login)
    context = server_context(authority, address)
    with https(address, context, found.answer) as port, _smtp(found, context) as smtp_port:
        found.slack_url = f"https://{address}:{port}/slack/{found.path}"
        found.heartbeat_url = f"https://{address}:{port}/{HEARTBEAT}/{found.path}"
        found.smarthost = f"{address}:{smtp_port}"
        yield found


@contextlib.contextmanager
def https(
    address: str, context: ssl.SSLContext | None, answer: Callable[[str, Any, bytes], Answer]
) -> Iterator[int]:
    """Answer POST requests by path, headers and body, at the port that is yielded.

    Without a context it is plain http.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = answer(self.path, self.headers, body)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Ignore errors: a killed client leaves its connection open."""

    server = Server((address, 0), Handler)
    # The handshake runs in the connection's own thread, so that a slow client blocks no other.
    if context:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STOP_SECONDS)


def _posted(path: str, secret: str, body: bytes) -> Message | None:
    now, content = time.time(), json.loads(body)
    if path == f"/{HEARTBEAT}/{secret}":
        return Message(HEARTBEAT, content["status"], "", now, content)
    if path == f"/slack/{secret}":
        (attachment,) = content["attachments"]
        return Message(content["channel"], attachment["title"], attachment["text"], now, attachment)
    return None


class _Mails:
    """Handler for aiosmtpd."""

    def __init__(self, found: Sink) -> None:
        self._found = found

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        now = time.time()
        mail = email.message_from_bytes(envelope.original_content or b"", policy=_POLICY)
        assert isinstance(mail, email.message.EmailMessage)
        parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
        for to in envelope.rcpt_tos:
            self._found.take(Message(to, mail["Subject"], parts["text/plain"], now, parts))
        return "250 OK"


_POLICY = email.policy.default


@contextlib.contextmanager
def _smtp(found: Sink, context: ssl.SSLContext) -> Iterator[int]:
    """Accept mail only over STARTTLS and with a password."""

    def authenticate(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == found.login)

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(
            lambda: SMTP(
                _Mails(found),
                hostname="sink.test",
                tls_context=context,
                require_starttls=True,
                authenticator=authenticate,
                auth_required=True,
                # Its LOGIN challenge is not the one that Alertmanager supports.
                auth_exclude_mechanism=["LOGIN"],
                loop=loop,
            ),
            found.address,
            0,
        )
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
        loop.close()
