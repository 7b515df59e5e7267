"""Local replacements of Slack's API, Teams, PagerDuty, Telegram and a webhook, and an HTTP proxy.

All but the proxy are one HTTPS server; each checks the secret that its real one checks.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.certificates import Authority
from tests.live.sinks import Answer, Message, Sink, https, server_context

# Seconds for which a tunnel waits for either side.
IDLE_SECONDS = 30
BLOCK = 65536
Content = dict[str, Any]


@dataclass
class Services:
    """What each service accepts, and `messages`, which has what it accepted.

    `errors` are what Slack answers for a channel, such as `not_in_channel`.
    """

    slack_token: str
    slack_channels: frozenset[str]
    pagerduty_key: str
    telegram_token: str
    path: str
    url: str = ""
    plain_url: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    messages: Sink = field(default_factory=lambda: Sink("", ("", "")))

    def answer(self, path: str, authorization: str, body: bytes) -> Answer:
        content = json.loads(body)
        names: dict[str, Callable[[], Answer]] = {
            "/api/chat.postMessage": lambda: self._slack(authorization, content),
            f"/teams/{self.path}": lambda: self._teams(content),
            "/v2/enqueue": lambda: self._pagerduty(content),
            f"/bot{self.telegram_token}/sendMessage": lambda: self._telegram(content),
            f"/webhook/{self.path}": lambda: self._webhook("webhook", content),
            f"/head/{self.path}": lambda: self._webhook("head", content),
            f"/house/{self.path}": lambda: self._webhook("house", content),
        }
        return names.get(path, lambda: Answer(404))()

    def _slack(self, authorization: str, content: Content) -> Answer:
        """Answer as https://api.slack.com/methods/chat.postMessage: errors have status 200 too."""
        channel = content["channel"]
        error = self.errors.get(channel, "")
        if authorization != f"Bearer {self.slack_token}":
            error = "invalid_auth" if authorization else "not_authed"
        elif channel not in self.slack_channels:
            error = "channel_not_found"
        if error:
            return Answer.json({"ok": False, "error": error})
        (attachment,) = content["attachments"]
        self._take(channel, attachment["title"], attachment["text"], attachment)
        return Answer.json({"ok": True, "channel": channel, "ts": f"{time.time():.6f}"})

    def _teams(self, content: Content) -> Answer:
        (card,) = content["attachments"]
        title, *texts = (block["text"] for block in card["content"]["body"])
        self._take("teams", title, "\n".join(texts), content)
        return Answer(202)

    def _pagerduty(self, content: Content) -> Answer:
        if content["routing_key"] != self.pagerduty_key:
            return Answer.json({"status": "invalid event"}, 400)
        self._take("pagerduty", content.get("payload", {}).get("summary", ""), "", content)
        return Answer.json({"status": "success", "message": "Event processed"}, 202)

    def _telegram(self, content: Content) -> Answer:
        self._take("telegram", content["text"].partition("\n")[0], content["text"], content)
        return Answer.json({"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1}}})

    def _webhook(self, to: str, content: Content) -> Answer:
        self._take(to, content["commonLabels"]["alertname"], content["status"], content)
        return Answer(200)

    def _take(self, to: str, title: str, text: str, content: Content) -> None:
        self.messages.take(Message(to, title, text, time.time(), content))


@contextlib.contextmanager
def serving(found: Services, authority: Authority, address: str) -> Iterator[Services]:
    """Serve at an address of this host, with a certificate of the authority and in clear text."""

    def answer(path: str, headers: Any, body: bytes) -> Answer:
        return found.answer(path, headers.get("Authorization", ""), body)

    context = server_context(authority, address)
    with https(address, context, answer) as port, https(address, None, answer) as plain_port:
        found.url = f"https://{address}:{port}"
        found.plain_url = f"http://{address}:{plain_port}"
        yield found


@dataclass
class Proxy:
    """HTTP proxy that lets in with `login`; `targets` are what it connected to, as host:port."""

    login: str
    url: str = ""
    targets: set[str] = field(default_factory=set)


@contextlib.contextmanager
def proxy(address: str, login: str) -> Iterator[Proxy]:
    found = Proxy(login)
    expected = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if self.headers.get("Proxy-Authorization") != expected:
                self.send_error(407)
                return
            host, _, port = self.path.rpartition(":")
            found.targets.add(self.path)
            with socket.create_connection((host, int(port)), IDLE_SECONDS) as there:
                self.send_response(200)
                self.end_headers()
                _tunnel(self.connection, there)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        found.url = f"http://{login}@{address}:{server.server_port}"
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(IDLE_SECONDS)


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until either side ends or nothing comes."""
    peers = {one: other, other: one}
    with contextlib.suppress(OSError, ssl.SSLError):
        while ready := select.select([*peers], [], [], IDLE_SECONDS)[0]:
            for side in ready:
                data = side.recv(BLOCK)
                if not data:
                    return
                peers[side].sendall(data)
