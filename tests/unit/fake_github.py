"""GitHub's API on loopback: one pull request and its comments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ops.review.github import GitHub

BOT = "github-actions[bot]"
TOKEN = "canary-github-token-5c1d"
HEAD = "4" * 40


@dataclass(frozen=True)
class Fault:
    """Answer instead of the real one. With `done`, the request is executed all the same."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass
class FakeGitHub:
    """GitHub API with `faults`, which the requests of a method take one by one; None is the real
    answer.
    """

    login: str = BOT
    comments: list[dict[str, Any]] = field(default_factory=list)
    pull_request: dict[str, Any] = field(
        default_factory=lambda: {
            "state": "open",
            "head": {"sha": HEAD, "repo": {"full_name": "clinic/monitoring"}},
        }
    )
    faults: dict[str, list[Fault | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def say(self, body: str, login: str = "somebody") -> dict[str, Any]:
        """Add a comment that already exists."""
        number = 1000 + len(self.comments)
        self.comments.append(
            {
                "id": number,
                "body": body,
                "user": {"login": login},
                "html_url": f"https://github.example/comment/{number}",
            }
        )
        return self.comments[-1]

    def client(self) -> GitHub:
        return GitHub(self.url, f"{self.url}/graphql", TOKEN)

    def bodies(self, login: str = BOT) -> list[str]:
        return [found["body"] for found in self.comments if found["user"]["login"] == login]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
        parts = urlsplit(path)
        kind = f"{method} {parts.path}"
        self.asked.append(f"{method} {path}")
        faults = self.faults.get(method)
        fault = faults.pop(0) if faults else None
        real = self._do(kind, parts.query, body) if fault is None or fault.done else None
        if fault:
            return fault.status, fault.headers, {"message": fault.message}
        assert real
        return real

    def _do(self, kind: str, query: str, body: Any) -> tuple[int, dict[str, str], Any]:
        of_all = "/repos/clinic/monitoring/issues/7/comments"
        of_one = "/repos/clinic/monitoring/issues/comments/"
        if kind == "POST /graphql":
            return 200, {}, {"data": {"viewer": {"login": self.login}}}
        if kind == "GET /repos/clinic/monitoring/pulls/7":
            return 200, {}, self.pull_request
        if kind == f"GET {of_all}":
            return self._page(of_all, parse_qs(query))
        if kind == f"POST {of_all}":
            return 201, {}, self.say(body["body"], self.login)
        method, _, path = kind.partition(" ")
        found = [c for c in self.comments if path == f"{of_one}{c['id']}"]
        if not found:
            return 404, {}, {"message": "Not Found"}
        return self._change(method, found[0], body)

    def _change(
        self, method: str, comment: dict[str, Any], body: Any
    ) -> tuple[int, dict[str, str], Any]:
        if method == "DELETE":
            self.comments.remove(comment)
            return 204, {}, None
        comment["body"] = body["body"]
        return 200, {}, comment

    def _page(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], Any]:
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        shown = self.comments[(page - 1) * size : page * size]
        link = f"{self.url}{path}?per_page={size}&page={page + 1}"
        more = page * size < len(self.comments)
        return 200, {"Link": f'<{link}>; rel="next"'} if more else {}, shown


@contextmanager
def serving(github: FakeGitHub) -> Iterator[FakeGitHub]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers, answer = 401, {}, {"message": "Bad credentials"}
            if self.headers["Authorization"] == f"token {TOKEN}":
                status, headers, answer = github.answer(self.command, self.path, body)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
