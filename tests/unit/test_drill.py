"""The drill against an Alertmanager of little more than its API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from components.alertmanager import routing
from components.alertmanager.destinations import DESTINATIONS
from components.settings.settings import Settings
from ops import __main__ as ops_main
from ops import drill
from ops.drill import command
from ops.drill import runner as conduct_
from tests.unit.fake_alertmanager import FakeAlertmanager, serving

EVERYBODY = {
    "slackWebhookUrl": "https://hooks.example/a",
    "mailSmarthost": "mail.test:25",
    "heartbeatUrl": "https://beats.example/b",
}

SettingsOf = Callable[..., Settings]


@dataclass(frozen=True)
class Outcome:
    passed: bool
    lines: dict[tuple[str, str], str]
    """By receiver and the first word of its integration."""


@pytest.fixture
def alertmanager(settings: SettingsOf) -> Iterator[Callable[..., FakeAlertmanager]]:
    """Makes one that runs the configuration of a stack, without its waits."""
    with ExitStack() as stack:

        def make(changes: dict[str, Any] | None = None, **behaviour: Any) -> FakeAlertmanager:
            values = EVERYBODY if changes is None else changes
            config = yaml.safe_load(routing.render_config(settings(**values)))
            for route in (config["route"], *config["route"]["routes"]):
                route |= {"group_wait": "0s", "group_interval": "0s"}
            return stack.enter_context(serving(FakeAlertmanager(config, **behaviour)))

        yield make


@pytest.fixture
def run(settings: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    monkeypatch.setattr(conduct_, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(command.console, "width", 300)

    def run(fake: FakeAlertmanager, *, until_resolved: bool = False) -> Outcome:
        with command.console.capture() as captured:
            passed = drill.run(settings(), fake.url, 0.1, until_resolved=until_resolved)
        words = [line.split() for line in captured.get().splitlines()]
        return Outcome(passed, {(w[0], w[1]): " ".join(w) for w in words if len(w) > 1})

    return run


def test_a_drill_that_everybody_hears_passes(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    assert run(alertmanager()).passed is True


def test_each_integration_has_its_line(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager()).lines
    assert {key: found[key].split()[-2:] for key in found if key[1] in ("Slack", "mail", "webhook")}
    assert [
        found["heartbeat", "webhook"],
        found["critical", "Slack"],
        found["critical", "mail"],
        found["warnings", "Slack"],
    ] == [
        "heartbeat webhook 1 0",
        "critical Slack #vitalstream-critical 1 0",
        "critical mail to ops-team@example.com 1 0",
        "warnings Slack #vitalstream-warnings 1 0",
    ]


def test_every_row_of_the_table_is_tried(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    fake = alertmanager()
    run(fake)
    rows = {"heartbeat", *(found.receiver for found in DESTINATIONS)}
    assert {fake.matching(alert) for post in fake.posts for alert in post} == rows


@pytest.mark.parametrize("by_receiver", [False, True])
@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("refused", "0 1 given up"),
        ("retried", "0 1 failed once, and Alertmanager goes on trying"),
        ("nothing", "0 0 nothing was sent"),
    ],
)
def test_what_does_not_arrive_is_reported(
    outcome: str,
    words: str,
    by_receiver: bool,
    alertmanager: Callable[..., FakeAlertmanager],
    run: Callable[..., Outcome],
) -> None:
    found = run(alertmanager(outcome={"warnings": outcome}, by_receiver=by_receiver))
    assert (found.passed, found.lines["warnings", "Slack"]) == (
        False,
        f"warnings Slack #vitalstream-warnings {words}",
    )


def test_failure_with_counters_by_receiver_is_of_that_receiver_only(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(outcome={"critical": "retried"}, by_receiver=True))
    assert found.lines["database", "Slack"].endswith("1 0")


def test_failure_with_shared_counters_is_not_taken_for_the_next_receivers(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(outcome={"critical": "retried"}))
    assert "unknown: earlier notifications" in found.lines["database", "Slack"]


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        ([("slack", "ok")], "1 0"),
        ([("slack", "refused")], "0 1 1 of 2 notifications in this time failed"),
    ],
)
def test_a_real_message_of_the_same_moment_makes_no_failure_a_success(
    meanwhile: list[tuple[str, str]],
    words: str,
    alertmanager: Callable[..., FakeAlertmanager],
    run: Callable[..., Outcome],
) -> None:
    found = run(alertmanager(meanwhile=meanwhile))
    assert f"#vitalstream-critical {words}" in found.lines["critical", "Slack"]


def test_a_failure_that_is_counted_a_moment_after_its_attempt_is_one(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(outcome={"warnings": "retried"}, torn=True))
    assert "0 1 failed once" in found.lines["warnings", "Slack"]


def test_mute_time_is_reported_by_its_name(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(outcome={"warnings": "nothing"}, muted={"warnings"}))
    assert found.lines["warnings", "Slack"].endswith("0 0 muted by the time interval night")


def test_silence_is_reported_with_its_author(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(silenced={"backend"}))
    assert found.passed is False
    assert found.lines["backend", "Slack"].endswith(
        '0 0 silenced: "a move" by ops, until 2026-01-02T03:04:05Z'
    )


def test_an_alert_that_goes_elsewhere_is_reported(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(routed={"database": ["critical", "database"]}))
    assert found.passed is False
    assert "routes it to critical, database" in found.lines["database", "Slack"]


def test_a_receiver_with_nowhere_to_send_is_reported(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager({"mailSmarthost": "mail.test:25"}))
    assert found.passed is False
    assert found.lines["backend", "-"] == (
        "backend - 0 0 no integration: no way to Slack for #vitalstream-backend"
    )


def test_destination_behind_a_route_that_ends_is_reported(
    alertmanager: Callable[..., FakeAlertmanager],
    settings: SettingsOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conduct_, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(command.console, "width", 300)
    values = {
        **EVERYBODY,
        "receivers": {"oncall": {"webhook_configs": [{"url": "https://oncall.example/a"}]}},
        "routes": [{"receiver": "oncall", "matchers": ['severity="critical"'], "continue": False}],
    }
    fake = alertmanager({})
    fake.config = yaml.safe_load(
        routing.render_config(settings(secret_keys=["receivers"], **values))
    )
    for route in (fake.config["route"], *fake.config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "0s"}
    with command.console.capture() as captured:
        drill.run(
            settings(secret_keys=["receivers"], **values), fake.url, 0.1, until_resolved=False
        )
    lines = [" ".join(line.split()) for line in captured.get().splitlines()]
    assert "oncall webhook 1 0" in lines
    assert any(line.startswith("critical - 0 0 a route before it takes") for line in lines)


def test_without_a_heartbeat_nobody_is_missed(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager({**EVERYBODY, "heartbeatUrl": ""}))
    assert found.passed is True
    assert "heartbeatUrl is not set" in found.lines["heartbeat", "-"]


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ([], "backend - 0 0 not in the live configuration"),
        (
            [{"name": "backend"}, {"name": "pager"}],
            "pager - 0 0 no route of these settings leads there",
        ),
    ],
)
def test_a_live_configuration_of_other_receivers_is_reported(
    live: list[dict[str, Any]],
    words: str,
    alertmanager: Callable[..., FakeAlertmanager],
    run: Callable[..., Outcome],
) -> None:
    fake = alertmanager()
    kept = [entry for entry in fake.config["receivers"] if entry["name"] != "backend"]
    fake.config["receivers"] = [*kept, *live]
    found = run(fake)
    assert found.passed is False
    assert any(line.startswith(words) for line in found.lines.values())


def test_the_message_that_it_is_over_is_waited_for_if_asked(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(), until_resolved=True)
    assert (found.passed, found.lines["backend", "Slack"]) == (
        True,
        "backend Slack #vitalstream-backend 1 0 sent",
    )


def test_a_message_that_it_is_over_which_does_not_come_is_reported(
    alertmanager: Callable[..., FakeAlertmanager],
    run: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = alertmanager()
    post = fake.post

    def lost(alerts: list[dict[str, Any]]) -> None:
        if fake.posts and len(alerts) > 1:
            fake.outcome = dict.fromkeys(("critical", "warnings", "database", "backend"), "nothing")
        post(alerts)

    monkeypatch.setattr(fake, "post", lost)
    found = run(fake, until_resolved=True)
    assert found.passed is False
    assert "not sent resolved message: nothing was sent" in found.lines["backend", "Slack"]


def test_no_alert_is_left_firing(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    fake = alertmanager(outcome={"database": "retried"})
    run(fake)
    assert fake.firing() == []


def test_an_interrupted_drill_leaves_no_alert_firing(
    alertmanager: Callable[..., FakeAlertmanager],
    run: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = alertmanager(outcome={"critical": "nothing"})

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(fake)
    assert (len(fake.posts), fake.firing()) == (2, [])


def test_an_alert_ends_by_itself(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    fake = alertmanager()
    run(fake)
    begun = datetime.now(UTC)
    ends = [datetime.fromisoformat(alert["endsAt"]) for alert in fake.posts[0]]
    assert [end - begun < timedelta(minutes=2) for end in ends] == [True]


def test_an_alertmanager_that_does_not_answer_is_reported(run: Callable[..., Outcome]) -> None:
    nobody = FakeAlertmanager({}, url="http://127.0.0.1:9")
    with pytest.raises(drill.DrillError, match=r"does not answer at http://127\.0\.0\.1:9.*--url"):
        run(nobody)


@pytest.mark.parametrize(("outcome", "status"), [({}, 0), ({"backend": "refused"}, 1)])
def test_the_exit_code_says_whether_everybody_heard(
    outcome: dict[str, str],
    status: int,
    alertmanager: Callable[..., FakeAlertmanager],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conduct_, "PAUSE_SECONDS", 0.01)
    fake = alertmanager(outcome=outcome)
    arguments = ["drill", "--stack", "dev", "--url", fake.url, "--patience", "1"]
    assert CliRunner().invoke(ops_main.app, arguments).exit_code == status


def test_the_address_is_the_published_port_of_the_settings(settings: SettingsOf) -> None:
    found = settings(bindAddress="0.0.0.0", publicHost="mon.example.com", ports={"alertmanager": 1})
    assert found.local_url("alertmanager") == "http://127.0.0.1:1"
