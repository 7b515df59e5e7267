"""The drill against an Alertmanager of little more than its API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from components.alertmanager.destinations import DESTINATIONS
from ops import __main__ as ops_main
from ops.drill import runner as conduct_
from tests.unit import drills
from tests.unit.drills import EVERYBODY, Outcome, SettingsOf
from tests.unit.fake_alertmanager import FakeAlertmanager

alertmanager = drills.alertmanager
run = drills.run


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


def test_without_a_heartbeat_nobody_is_missed(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager({**EVERYBODY, "heartbeatUrl": ""}))
    assert found.passed is True
    assert "heartbeatUrl is not set" in found.lines["heartbeat", "-"]


def test_the_message_that_it_is_over_is_waited_for_if_asked(
    alertmanager: Callable[..., FakeAlertmanager], run: Callable[..., Outcome]
) -> None:
    found = run(alertmanager(), until_resolved=True)
    assert (found.passed, found.lines["backend", "Slack"]) == (
        True,
        "backend Slack #vitalstream-backend 1 0 sent",
    )


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
