"""Drill through a real Alertmanager, to webhooks of which some fail."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest
import requests
import yaml

from components.alertmanager import routing
from components.settings import loader
from components.settings.settings import Settings
from ops import drill
from ops.drill import command
from tests.live.alertmanager import running
from tests.live.stack import SECRETS
from tests.ports import free_port

STACK = "live-drill"
PATIENCE_SECONDS = 6
# What each path of the webhook server answers; every other 200. Alertmanager gives up at 404 at
# once, and goes on trying at 500.
ANSWERS = {"/warnings": 404, "/database": 500}


@dataclass
class Webhooks:
    """Fake Slack server with a path for each receiver."""

    port: int
    heard: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


@pytest.fixture(scope="module")
def webhooks() -> Iterator[Webhooks]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.heard[self.path].append(json.loads(body))
            self.send_response(ANSWERS.get(self.path, 200))
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Print nothing; received messages are stored."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Webhooks(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def settings() -> Settings:
    values = {
        **SECRETS,
        "mailPassword": "",
        "heartbeatUrl": "https://beats.invalid/LIVE-Secret-6",
        "ports": json.dumps({"alertmanager": free_port()}),
    }
    return loader.parse(STACK, values, list(values))


def configuration(settings: Settings, webhooks: Webhooks) -> str:
    """Return the stack's configuration with other destinations and shorter waits."""
    config = yaml.safe_load(routing.render_config(settings))
    base = f"http://127.0.0.1:{webhooks.port}"
    del config["global"]["slack_api_url_file"]
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "4s"}
    for receiver in config["receivers"]:
        for entry in receiver.get("slack_configs", []):
            entry["api_url"] = f"{base}/{receiver['name']}"
        for entry in receiver.get("webhook_configs", []):
            entry.pop("url_file", None)
            entry["url"] = f"{base}/{receiver['name']}"
    return yaml.safe_dump(config, allow_unicode=True)


@pytest.fixture(scope="module")
def url(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    settings: Settings,
    webhooks: Webhooks,
) -> Iterator[str]:
    config = configuration(settings, webhooks)
    with running(docker_client, settings.model_copy(update={"images": images}), config) as found:
        yield found


@dataclass(frozen=True)
class Held:
    """Result and output of a drill."""

    passed: bool
    lines: dict[str, str]
    output: str


@pytest.fixture(scope="module")
def held(url: str, settings: Settings) -> Held:
    """Run a drill while a real alert fires that inhibits those of the backend."""
    down = {"alertname": "BackendDown", "severity": "critical", "service": "backend"}
    real = [{"labels": {**down, "stack": STACK, "instance": "backend:8000"}}]
    requests.post(f"{url}/api/v2/alerts", json=real, timeout=10).raise_for_status()
    command.console.width = 200
    with command.console.capture() as captured:
        passed = drill.run(settings, "", PATIENCE_SECONDS, until_resolved=True)
    output = captured.get()
    lines = {line.split()[0]: line for line in output.splitlines() if line.strip()}
    return Held(passed, lines, output)


def drilled(webhooks: Webhooks, path: str) -> list[str]:
    """Return the titles of the drill's messages to a Slack receiver."""
    titles = [message["attachments"][0]["title"] for message in webhooks.heard[path]]
    return [title for title in titles if "Drill" in title]


@pytest.mark.parametrize("receiver", ["critical", "backend"])
def test_delivered_message_is_reported_as_sent(receiver: str, held: Held) -> None:
    assert re.fullmatch(
        rf"{receiver} +Slack #vitalstream-{receiver} +1 +0 +sent *", held.lines[receiver]
    )


def test_the_heartbeat_is_drilled_and_has_no_end(held: Held) -> None:
    assert re.fullmatch(r"heartbeat +webhook +1 +0 *", held.lines["heartbeat"])


def test_missing_webhook_is_reported_with_its_response(held: Held) -> None:
    assert re.search(
        r"^warnings +Slack #vitalstream-warnings +0 +1 +given up; ", held.lines["warnings"]
    )
    assert "404" in held.output


def test_failing_webhook_is_reported_with_its_response(held: Held) -> None:
    assert re.search(
        r"^database +Slack #vitalstream-database +0 +1 +(failed|given up)", held.lines["database"]
    )
    assert "500" in held.output


def test_a_drill_in_which_one_fails_does_not_pass(held: Held) -> None:
    assert held.passed is False


@pytest.mark.parametrize("receiver", ["critical", "backend"])
def test_each_receiver_hears_of_it_once_and_of_its_end_once(
    receiver: str, held: Held, webhooks: Webhooks
) -> None:
    assert [title.partition("]")[0] for title in drilled(webhooks, f"/{receiver}")] == [
        "[TEST",
        "[TEST IS OVER",
    ]


def test_a_message_says_that_nothing_is_wrong(held: Held, webhooks: Webhooks) -> None:
    message = next(
        found["attachments"][0]
        for found in webhooks.heard["/critical"]
        if "Drill" in found["attachments"][0]["title"]
    )
    assert f"*This is a test: nothing is wrong with {STACK}*" in message["text"]


def test_a_real_alert_goes_on_firing(held: Held, url: str) -> None:
    found = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
    states = {entry["labels"]["alertname"]: entry["status"]["state"] for entry in found}
    assert states == {"BackendDown": "active"}


def test_no_webhook_is_printed(held: Held, webhooks: Webhooks) -> None:
    assert f":{webhooks.port}/" not in held.output.replace(f":{webhooks.port}/...", "")
