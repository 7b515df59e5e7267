"""Maintenance windows on a real Alertmanager, by the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import docker
import pytest
import requests
from typer.testing import CliRunner

from components.alertmanager import routing
from components.settings import loader
from components.settings.settings import Settings
from ops import __main__ as ops_main
from ops import connections
from tests.live.alertmanager import running
from tests.live.stack import SECRETS, eventually
from tests.ports import free_port

STACK = "live-silence"
Silence = Callable[..., str]


@pytest.fixture(scope="module")
def settings(images: dict[str, str]) -> Settings:
    values = {
        **SECRETS,
        "slackWebhookUrl": "",
        "mailPassword": "",
        "timezone": "Europe/Istanbul",
        "images": json.dumps(images),
        "ports": json.dumps({"alertmanager": free_port()}),
    }
    return loader.parse(STACK, values, list(SECRETS))


@pytest.fixture(scope="module")
def url(docker_client: docker.DockerClient, settings: Settings) -> Iterator[str]:
    with running(docker_client, settings, routing.render_config(settings)) as found:
        alerts = [
            {"alertname": "RedisDown", "severity": "critical", "instance": "redis:9121"},
            {"alertname": "DiskSpaceLow", "severity": "warning", "instance": "node:9100"},
        ]
        posted = [{"labels": {**labels, "stack": STACK}} for labels in alerts]
        requests.post(f"{found}/api/v2/alerts", json=posted, timeout=10).raise_for_status()
        yield found


@pytest.fixture
def silence(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Silence:
    monkeypatch.setattr(connections, "settings_of", lambda _stack: settings)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(ops_main.app, ["silence", *arguments, "--stack", STACK])
        assert done.exit_code == 0, done.output
        return done.output

    return run


def states(url: str) -> dict[str, str]:
    found = requests.get(f"{url}/api/v2/alerts", timeout=10).json()
    return {one["labels"]["alertname"]: one["status"]["state"] for one in found}


def test_window_is_started_listed_and_ended(silence: Silence, url: str) -> None:
    started = silence(
        "start", 'alertname="RedisDown"', "--for", "2h", "--comment", "new disk", "--author", "me"
    )
    assert re.search(r"until \d{4}-\d\d-\d\d \d\d:\d\d Europe/Istanbul: alertname", started)
    assert "It mutes 1 alert firing now, 1 of them critical:" in started
    assert re.search(r"^    critical RedisDown redis:9121 since ", started, re.M)
    made = re.search(rf"ops silence end (\S+) --stack {STACK}", started)
    assert made is not None
    muted = {"RedisDown": "suppressed", "DiskSpaceLow": "active"}
    assert eventually(lambda: states(url) == muted, 10), states(url)

    listed = silence("list")
    assert re.search(rf"^{made[1]} until .* by me: new disk$", listed, re.M)
    assert 'alertname="RedisDown"; mutes 1 alert now' in listed

    ended = silence("end", made[1])
    assert "Messages go out again on 1 alert:" in ended
    assert eventually(lambda: states(url)["RedisDown"] == "active", 10)
    assert "Nothing is silenced" in silence("list")


def test_window_over_everything_keeps_the_heartbeat(silence: Silence, url: str) -> None:
    started = silence("start", "--for", "1h", "--all", "the ward is closed")
    assert "The heartbeat goes on." in started
    assert "It mutes 2 alerts firing now, 1 of them critical:" in started
    watchdog = [{"labels": {"alertname": "Watchdog", "severity": "none", "stack": STACK}}]
    requests.post(f"{url}/api/v2/alerts", json=watchdog, timeout=10).raise_for_status()
    muted = {"RedisDown": "suppressed", "DiskSpaceLow": "suppressed", "Watchdog": "active"}
    assert eventually(lambda: states(url) == muted, 10), states(url)


def test_end_of_an_unknown_window_names_those_that_are_open(
    silence: Silence, settings: Settings
) -> None:
    done = CliRunner().invoke(ops_main.app, ["silence", "end", "x", "--stack", STACK])
    assert "There is no silence x that is open; there are: " in str(done.exception)
