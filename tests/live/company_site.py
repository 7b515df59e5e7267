"""Local replacement of a company's login, which Grafana asks by OAuth."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

CLIENT = "grafana-of-the-clinic"


@dataclass
class LoginSite:
    """People log in as `user` at once; `asked` are the paths that Grafana has asked for."""

    url: str
    client_secret: str
    user: dict[str, object]
    asked: list[str] = field(default_factory=list)
    code: str = field(default_factory=secrets.token_urlsafe)
    token: str = field(default_factory=secrets.token_urlsafe)

    def knows(self, authorization: str, form: dict[str, list[str]]) -> bool:
        """Return whether a request has the client's id and secret, in either of OAuth's ways."""
        given = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
        kind, _, text = authorization.partition(" ")
        if kind == "Basic":
            name, _, password = base64.b64decode(text).decode().partition(":")
            given = (unquote(name), unquote(password.replace("+", " ")))
        return given == (CLIENT, self.client_secret) and form["code"] == [self.code]


@contextlib.contextmanager
def login_site(address: str, client_secret: str, user: dict[str, object]) -> Iterator[LoginSite]:
    """Run the site at an address of this host."""
    site = LoginSite("", client_secret, user)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            site.asked.append(url.path)
            if url.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(url.query).items()}
                back = urlencode({"code": site.code, "state": asked["state"]})
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.end_headers()
            elif self.headers["Authorization"] == f"Bearer {site.token}":
                self._answer(200, site.user)
            else:
                self._answer(401, {"error": "invalid_token"})

        def do_POST(self) -> None:
            site.asked.append(self.path)
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if site.knows(self.headers["Authorization"] or "", form):
                token = {"access_token": site.token, "token_type": "Bearer", "expires_in": 3600}
                self._answer(200, token)
            else:
                self._answer(401, {"error": "invalid_client"})

        def _answer(self, status: int, content: dict[str, object]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    site.url = f"http://{address}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
