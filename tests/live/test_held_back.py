"""Alerts that end while they are inhibited after they were sent.

Alertmanager does not send their resolution, and considers them already notified when they fire
again. Prometheus corrects this: it keeps sending the resolved alert for 15 minutes.
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

BACKEND_DOWN = alert("BackendUnavailable", "critical", "backend")
ERRORS = alert("HighErrorRate", "critical", "backend", instance="")
NOTIFIED_SECONDS = 10
# Several group intervals (GROUP_SECONDS).
QUIET_SECONDS = 4
GROUP_SECONDS = "1s"
Notification = tuple[str, str]


class Hook:
    """Webhook that records each alert's name and status."""

    def __init__(self) -> None:
        self._received: queue.Queue[Notification] = queue.Queue()

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        received = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.put((body["groupLabels"]["alertname"], body["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/"
            server.shutdown()

    def next(self, seconds: float = NOTIFIED_SECONDS) -> Notification | None:
        try:
            return self._received.get(timeout=seconds)
        except queue.Empty:
            return None


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def url(hook: Hook, docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[str]:
    """Start an Alertmanager with the stack's inhibitions that notifies only a webhook."""
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
        config["route"] |= {
            "receiver": "hook",
            "group_wait": GROUP_SECONDS,
            "group_interval": GROUP_SECONDS,
        }
        del config["route"]["routes"]
        with running(docker_client, settings, yaml.safe_dump(config)) as found:
            yield found


def resolve(url: str, labels: dict[str, str]) -> None:
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    post(url, [{"labels": labels, "startsAt": ended, "endsAt": ended}])


def fire(url: str, labels: dict[str, str]) -> None:
    post(url, [{"labels": labels}])


def end_while_inhibited(url: str, hook: Hook) -> None:
    fire(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "firing")
    fire(url, BACKEND_DOWN)
    assert hook.next() == ("BackendUnavailable", "firing")
    resolve(url, ERRORS)
    assert hook.next(QUIET_SECONDS) is None
    assert [found["labels"]["alertname"] for found in firing(url)] == ["BackendUnavailable"]
    resolve(url, BACKEND_DOWN)
    assert hook.next() == ("BackendUnavailable", "resolved")


def test_alert_resolved_again_after_inhibition_sends_resolution(url: str, hook: Hook) -> None:
    end_while_inhibited(url, hook)
    resolve(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "resolved")


def test_alert_after_sent_resolution_is_sent_again(url: str, hook: Hook) -> None:
    end_while_inhibited(url, hook)
    resolve(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "resolved")
    fire(url, ERRORS)
    assert hook.next() == ("HighErrorRate", "firing")


def test_alert_without_sent_resolution_waits_for_repeat_interval(url: str, hook: Hook) -> None:
    """Happens after inhibitions longer than 15 minutes: see docs/operations/alerting.md."""
    end_while_inhibited(url, hook)
    fire(url, ERRORS)
    assert hook.next(QUIET_SECONDS) is None
