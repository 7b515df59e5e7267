"""Reports of a drill about notifications that do not arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.alertmanager import routing
from ops import drill
from ops.drill import command
from ops.drill import runner as conduct_
from tests.unit import drills
from tests.unit.drills import EVERYBODY, Outcome, SettingsOf
from tests.unit.fake_alertmanager import FakeAlertmanager

alertmanager = drills.alertmanager
run = drills.run


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


def test_an_alertmanager_that_does_not_answer_is_reported(run: Callable[..., Outcome]) -> None:
    nobody = FakeAlertmanager({}, url="http://127.0.0.1:9")
    with pytest.raises(drill.DrillError, match=r"does not answer at http://127\.0\.0\.1:9.*--url"):
        run(nobody)
