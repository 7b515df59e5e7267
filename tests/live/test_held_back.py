"""What becomes of an alert that was told, was then held back, and ended while it was.

Alertmanager says nothing that it is over then, and takes it for told when it comes back. What mends
that is Prometheus, which goes on saying for a quarter of an hour that it is over.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
import pytest
import yaml

from components.alertmanager import routing
from components.settings import loader
from tests.live.alertmanager import running
from tests.live.stack import SECRETS, not_of_this_machine
from tests.live.test_inhibitions import STACK, alert, firing, post
from tests.ports import free_port

BACKEND_DOWN = alert("BackendDown", "critical", "backend")
ERRORS = alert("HighErrorRate", "critical", "backend", instance="")
TOLD_SECONDS = 10
# Several of the group's turns below.
QUIET_SECONDS = 4
TURN = "1s"
Told = tuple[str, str]


class Hook:
    """What it is told: the alert's name, and whether it fires or is over."""

    def __init__(self) -> None:
        self._told: queue.Queue[Told] = queue.Queue()

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        told = self._told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.put((body["groupLabels"]["alertname"], body["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/"
            server.shutdown()

    def next(self, seconds: float = TOLD_SECONDS) -> Told | None:
        try:
            return self._told.get(timeout=seconds)
        except queue.Empty:
            return None


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def url(hook: Hook, docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[str]:
    """An Alertmanager with the stack's own inhibitions and repeat, which tells a web hook alone."""
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    values = {
        **SECRETS,
        "mailUsername": "live",
        "images": json.dumps(images),
        "ports": json.dumps({"alertmanager": free_port()}),
    }
    settings = loader.parse(STACK, values | {"slackWebhookUrl": ""}, list(SECRETS))
    config: dict[str, Any] = yaml.safe_load(routing.render_config(settings))
    with hook.listening() as address:
        config["receivers"] = [
            {"name": "hook", "webhook_configs": [{"url": address, "send_resolved": True}]}
        ]
        config["route"] |= {"receiver": "hook", "group_wait": TURN, "group_interval": TURN}
        del config["route"]["routes"]
        with running(docker_client, settings, yaml.safe_dump(config)) as found:
            yield found


def over(url: str, labels: dict[str, str]) -> None:
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    post(url, [{"labels": labels, "startsAt": ended, "endsAt": ended}])


def fires(url: str, labels: dict[str, str]) -> None:
    post(url, [{"labels": labels}])


def ended_while_held_back(url: str, hook: Hook) -> None:
    fires(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "firing")
    fires(url, BACKEND_DOWN)
    assert hook.next() == ("BackendDown", "firing")
    over(url, ERRORS)
    assert hook.next(QUIET_SECONDS) is None
    assert [found["labels"]["alertname"] for found in firing(url)] == ["BackendDown"]
    over(url, BACKEND_DOWN)
    assert hook.next() == ("BackendDown", "resolved")


def test_its_end_is_told_when_nothing_holds_it_back_any_more(url: str, hook: Hook) -> None:
    ended_while_held_back(url, hook)
    over(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "resolved")


def test_after_that_it_is_told_when_it_comes_back(url: str, hook: Hook) -> None:
    ended_while_held_back(url, hook)
    over(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "resolved")
    fires(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "firing")


def test_without_word_of_its_end_it_is_not_told_before_it_is_due_again(
    url: str, hook: Hook
) -> None:
    """Held back for more than a quarter of an hour: docs/operations/alerting.md warns of it."""
    ended_while_held_back(url, hook)
    fires(url, ERRORS)
    assert hook.next(QUIET_SECONDS) is None
