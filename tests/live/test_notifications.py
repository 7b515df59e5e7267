"""Notifications by every way to one Alertmanager's receivers, through a proxy with a login.

Slack by one bot token, mail, Teams, PagerDuty, Telegram and a webhook; routes, mute times,
escalation, the drill, and the secrets of all of them.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime

import docker
import pytest
import yaml

from components.alertmanager.receivers import SLACK_API
from components.rules.rule_set import RuleSet
from ops import drill
from ops.drill import command
from tests.live import clocks, notified
from tests.live.delivery import BACKEND, CRITICAL, DATABASE, MAIL, WARNINGS
from tests.live.notified import (
    DELIVERED_SECONDS,
    ESCALATE_SECONDS,
    EVERYBODY,
    NEW_TOKEN,
    PAGERDUTY_KEY,
    PROXY_LOGIN,
    TELEGRAM_TOKEN,
    TOKEN,
    WEBHOOK_PATH,
    World,
    edit,
    post,
)
from tests.live.sinks import HEARTBEAT
from tests.live.stack import SECRETS, eventually, not_of_this_machine
from tests.rules.rule_files import ISSUED_ALERTS

OF_SERVICE = {"backend": {BACKEND}, "database": {DATABASE}, "cache": {DATABASE}}


@pytest.fixture(scope="module")
def world(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[World]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    with notified.running(docker_client, images) as found:
        yield found


@pytest.mark.parametrize("alert", ISSUED_ALERTS)
def test_alert_of_the_mission_arrives_by_the_bot_token_and_by_mail(
    alert: str, world: World
) -> None:
    labels = RuleSet.shipped().alerts[alert].labels
    critical = ISSUED_ALERTS[alert][0] == "critical"
    expected = {CRITICAL, MAIL} if critical else {WARNINGS}
    expected |= {
        {"backend": BACKEND, "database": DATABASE, "cache": DATABASE}.get(labels["service"], "")
    }
    expected -= {""}
    found = world.reached(alert, *expected)
    assert found - {"head"} == expected


def test_alert_of_one_route_arrives_by_every_integration_and_nowhere_else(world: World) -> None:
    assert world.reached("ForAll", *EVERYBODY) == set(EVERYBODY)


def test_messages_but_mail_and_what_is_listed_go_through_the_proxy(world: World) -> None:
    assert world.reached("ForAll", *EVERYBODY) == set(EVERYBODY)
    assert world.sink.wait_until(
        lambda found: any(one.to == HEARTBEAT for one in found), DELIVERED_SECONDS
    )
    assert world.proxy.targets == {world.services.url.removeprefix("https://")}


def test_mute_time_holds_back_warnings_and_not_critical_alerts(world: World) -> None:
    assert world.reached("MutedCritical", *EVERYBODY) >= set(EVERYBODY)
    assert world.received("MutedWarning") == []
    assert world.muted("MutedWarning") == {"always"}


def test_alert_that_goes_on_is_escalated_and_one_that_is_silenced_is_not(world: World) -> None:
    assert "head" in world.reached("GoesOn", "head", seconds=ESCALATE_SECONDS + 15)
    (late,) = (found for found in world.received("GoesOn") if found.to == "head")
    (first,) = (found for found in world.received("GoesOn") if found.to == CRITICAL)
    assert first.at - world.began < ESCALATE_SECONDS <= late.at - world.began
    assert "head" not in {found.to for found in world.received("TakenOver")}


def secrets_of(found: World) -> set[str]:
    return {
        TOKEN,
        PAGERDUTY_KEY,
        TELEGRAM_TOKEN,
        WEBHOOK_PATH,
        PROXY_LOGIN.partition(":")[2],
        SECRETS["mailPassword"],
        found.sink.path,
    }


def test_secrets_are_in_files_of_mode_0400_and_nowhere_else(world: World) -> None:
    world.reached("ForAll", *EVERYBODY)
    container = world.stack.container("alertmanager")
    status = world.stack.get("alertmanager", "/api/v2/status")
    shown = json.dumps(container.attrs) + container.logs().decode() + json.dumps(status)
    stream, _ = container.get_archive("/etc/alertmanager")
    holding: dict[str, set[tuple[str, int, int]]] = {secret: set() for secret in secrets_of(world)}
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            text = file.read().decode() if file else ""
            for secret, files in holding.items():
                if secret in text:
                    files.add((member.name, member.mode & 0o777, member.uid))
    uid = int(container.attrs["Config"]["User"].partition(":")[0])
    for secret, files in holding.items():
        assert secret not in shown
        assert files, "no file has it"
        assert {(mode, owner) for _, mode, owner in files} == {(0o400, uid)}


@pytest.fixture(scope="module")
def drilled(world: World) -> tuple[bool, str]:
    """A drill of all routes while three channels do not work."""
    world.services.errors |= {
        WARNINGS: "not_in_channel",
        DATABASE: "channel_not_found",
        BACKEND: "invalid_auth",
    }
    command.console.width = 250
    try:
        with command.console.capture() as captured:
            passed = drill.run(world.stack.settings, "", 10, until_resolved=False)
    finally:
        world.services.errors.clear()
    return passed, captured.get()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r"critical +Slack #vitalstream-critical +1 +0", ""),
        (r"critical +mail to ops-team@example\.com +1 +0", ""),
        (r"warnings +Slack #\S+ +0 +1 ", "not_in_channel. fix: /invite @your-app"),
        (r"database +Slack #\S+ +0 +1 ", "channel_not_found. fix: the name in slackChannels"),
        (r"backend +Slack #\S+ +0 +1 ", "invalid_auth. fix: the app's Bot User OAuth Token"),
        *(
            (rf"own +{name} +1 +0", "")
            for name in ("msteamsv2", "pagerduty", "telegram", "webhook")
        ),
        (r"own +pagerduty +0 +0 ", "muted by the time interval always"),
        (r"house +webhook +1 +0", ""),
        (r"head +webhook +1 +0", ""),
        (r"heartbeat +webhook +1 +0", ""),
    ],
)
def test_drill_covers_every_route_and_shows_the_error_of_slack_with_its_fix(
    line: str, words: str, drilled: tuple[bool, str]
) -> None:
    passed, output = drilled
    found = re.findall(rf"^{line}.*$", output, re.M)
    assert any(words in one for one in found), output
    assert not passed


def test_rotated_slack_token_is_in_force_without_a_restart(
    world: World, drilled: tuple[bool, str]
) -> None:
    before = world.stack.started_at("alertmanager")
    world.services.slack_token = NEW_TOKEN
    slack = f"{world.services.url}/api/chat.postMessage"
    edit(world, {TOKEN: NEW_TOKEN, SLACK_API: slack})
    post(world, {"alertname": "AfterTheToken", "severity": "critical"})
    assert CRITICAL in world.reached("AfterTheToken", CRITICAL)
    assert world.stack.started_at("alertmanager") == before


@pytest.mark.parametrize(
    ("at", "muted"),
    [
        # 07:30 on the day before summer time, 07:30 and 08:30 on its first day.
        ("2027-03-27T06:30:00+00:00", True),
        ("2027-03-28T05:30:00+00:00", True),
        ("2027-03-28T06:30:00+00:00", False),
    ],
)
def test_mute_time_follows_the_clock_of_its_place_into_summer_time(
    at: str, muted: bool, world: World, drilled: tuple[bool, str]
) -> None:
    if reason := clocks.obstacle():
        pytest.skip(reason)
    then = datetime.fromisoformat(at)
    alert = f"At{then:%d%H}"
    clocks.set_clock(
        world.stack.container("alertmanager"), int((then - datetime.now(UTC)).total_seconds())
    )
    post(world, {"alertname": alert, "team": "morning"}, now=then)

    if muted:
        assert eventually(lambda: world.muted(alert), 10) == {"morning"}
        assert world.received(alert) == []
    else:
        assert world.reached(alert, "house", seconds=10) == {"house"}


def test_configuration_is_a_secret_file_with_the_proxys_login(world: World) -> None:
    files = world.stack.config_files("alertmanager")
    config = yaml.safe_load(files["secret_files"]["alertmanager.yml"])
    assert config["global"]["http_config"]["proxy_url"] == world.proxy.url
    assert "alertmanager.yml" not in files["files"]
