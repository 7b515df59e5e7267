"""GitLab pipeline and note script of docs/guides/ci.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from policy.rules import POLICIES
from tests.unit.workflow_files import ROOT

PAGE = (ROOT / "docs/guides/ci.md").read_text()
ME = 42
MARKER = "<!-- vitalstream-preview: prod -->"


def block(language: str) -> str:
    """The page's one block of code in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


class GitLab(BaseHTTPRequestHandler):
    notes: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/user":
            return self._say({"id": ME})
        page = int(parse_qs(parts.query).get("page", ["1"])[0])
        more = page * 100 < len(self.notes)
        url = f"http://{self.headers['Host']}{parts.path}?per_page=100&page={page + 1}"
        link = f'<{url}>; rel="next"' if more else ""
        return self._say(self.notes[(page - 1) * 100 : page * 100], link)

    def do_POST(self) -> None:
        self.notes.append({"id": 9999, "author": {"id": ME}, **self._sent()})
        self._say(self.notes[-1])

    def do_PUT(self) -> None:
        number = int(self.path.rpartition("/")[2])
        note = next(note for note in self.notes if note["id"] == number)
        note.update(self._sent())
        self._say(note)

    def _sent(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return sent

    def _say(self, answer: Any, link: str = "") -> None:
        text = json.dumps(answer).encode()
        self.send_response(200 if self.headers["PRIVATE-TOKEN"] == "canary" else 401)
        if link:
            self.send_header("Link", link)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def gitlab() -> Iterator[str]:
    GitLab.notes[:] = [
        {"id": number, "author": {"id": 1}, "body": f"{MARKER}\nnot mine"} for number in range(250)
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitLab)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def note(gitlab: str, folder: Path, text: str) -> None:
    (folder / "prod.md").write_text(f"{MARKER}\n{text}\n")
    environment = {
        **os.environ,
        "CI_API_V4_URL": gitlab,
        "CI_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_IID": "7",
        "GITLAB_TOKEN": "canary",
    }
    command = [sys.executable, "-c", block("python"), "dev.md", "prod.md"]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def test_gitlab_note_is_created_once_and_updated(gitlab: str, tmp_path: Path) -> None:
    note(gitlab, tmp_path, "first")
    note(gitlab, tmp_path, "second")
    mine = [found["body"] for found in GitLab.notes if found["author"]["id"] == ME]
    assert mine == [f"{MARKER}\nsecond\n"]


def test_gitlab_pipeline_previews_and_deploys_each_stack() -> None:
    pipeline = yaml.safe_load(block("yaml"))
    assert pipeline["preview"]["parallel"]["matrix"] == [{"STACK": ["dev", "prod"]}]
    assert {pipeline[f"up {stack}"]["environment"] for stack in ("dev", "prod")} == {"dev", "prod"}


def test_gitlab_prod_is_manual_and_serialized() -> None:
    prod = yaml.safe_load(block("yaml"))["up prod"]
    assert prod["rules"][0]["when"] == "manual"
    assert prod["resource_group"] == "deploy-prod"


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_page_lists_every_policy(policy: str) -> None:
    assert f"`{policy}`" in PAGE
