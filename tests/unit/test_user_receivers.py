"""Receivers, routes, mute times and escalation of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.alertmanager import routing, user_receivers
from components.settings.settings import Settings
from ops.review.diff.routes import deliveries

SettingsOf = Callable[..., Settings]
KEY = "canary-0123456789abcdef"
PAGER = {"oncall": {"pagerduty_configs": [{"routing_key": KEY}]}}
TO_PAGER = [{"receiver": "oncall"}]
SECRET = ("receivers",)
ANY = {"alertname": "Any", "service": "host", "team": ""}
CRITICAL = {**ANY, "severity": "critical"}
NIGHT = {"intervals": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]}


def _config(settings: Settings) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(routing.render_config(settings))
    return loaded


def _reached(settings: Settings, **labels: str) -> set[str]:
    return {one.receiver for one in deliveries(_config(settings)["route"], {**ANY, **labels})}


@pytest.mark.parametrize(
    ("kind", "entry", "fields"),
    [
        ("pagerduty_configs", {"routing_key": KEY}, ["routing_key"]),
        ("opsgenie_configs", {"api_key": KEY}, ["api_key"]),
        ("msteamsv2_configs", {"webhook_url": KEY}, ["webhook_url"]),
        ("discord_configs", {"webhook_url": KEY}, ["webhook_url"]),
        ("telegram_configs", {"bot_token": KEY, "chat_id": 1}, ["bot_token"]),
        ("pushover_configs", {"token": KEY, "user_key": KEY}, ["token", "user_key"]),
        ("webhook_configs", {"url": KEY}, ["url"]),
        ("email_configs", {"to": "a@b.c", "auth_password": KEY}, ["auth_password"]),
        ("rocketchat_configs", {"token": KEY, "token_id": KEY}, ["token", "token_id"]),
        (
            "webhook_configs",
            {"url": "http://uptime", "http_config": {"basic_auth": {"password": KEY}}},
            ["http_config.basic_auth.password", "url"],
        ),
        (
            "jira_configs",
            {"http_config": {"oauth2": {"client_secret": KEY}}, "project": "VS"},
            ["http_config.oauth2.client_secret"],
        ),
    ],
)
def test_receiver_secret_at_any_path_becomes_a_file(
    kind: str, entry: dict[str, Any], fields: list[str], settings: SettingsOf
) -> None:
    found = settings(secret_keys=SECRET, receivers={"oncall": {kind: [entry]}}, routes=TO_PAGER)
    files = user_receivers.secret_files(found)
    assert sorted(files) == [
        f"/etc/alertmanager/secrets/oncall.{kind}.0.{field}" for field in fields
    ]
    text = routing.render_config(found)
    assert KEY not in text + repr(found)
    assert all(path in text for path in files)


@pytest.mark.parametrize(
    ("labels", "reached"),
    [
        ({"severity": "critical", "service": "host"}, {"oncall"}),
        ({"severity": "warning", "service": "cache"}, {"lab", "database"}),
        ({"severity": "warning", "service": "host", "team": "own"}, {"lab"}),
        ({"severity": "warning", "service": "backend", "team": "own"}, {"lab"}),
    ],
)
def test_routes_lead_to_own_receivers_and_to_destinations(
    labels: dict[str, str], reached: set[str], settings: SettingsOf
) -> None:
    found = settings(
        secret_keys=SECRET,
        receivers={**PAGER, "lab": {"webhook_configs": [{"url": "http://lab"}]}},
        routes=[{"receiver": "lab", "matchers": ['team="own"'], "continue": False}],
        destinations={
            "critical": {"receiver": "oncall"},
            "warnings": {"receiver": "lab"},
            "backend": {"enabled": False},
        },
    )
    assert _reached(found, **labels) == reached


def test_mute_time_leaves_critical_alerts_alone(settings: SettingsOf) -> None:
    found = settings(
        muteTimes={"night": NIGHT}, timezone="Europe/Istanbul",
        destinations={"database": {"mute": ["night"]}},
    )  # fmt: skip
    tree = _config(found)["route"]
    muted = {
        severity: [
            one.muted
            for one in deliveries(tree, {**ANY, "service": "cache", "severity": severity})
            if one.receiver == "database"
        ]
        for severity in ("critical", "warning")
    }
    assert muted == {"critical": [()], "warning": [("night",)]}
    assert _config(found)["time_intervals"][0]["time_intervals"][0]["location"] == (
        "Europe/Istanbul"
    )


def test_mute_time_including_critical_covers_them(settings: SettingsOf) -> None:
    night = {**NIGHT, "includingCritical": True, "reason": "the ward is closed"}
    found = settings(muteTimes={"night": night}, destinations={"critical": {"mute": ["night"]}})
    tree = _config(found)["route"]
    assert [one.muted for one in deliveries(tree, CRITICAL)] == [("night",)]


def test_escalation_is_a_group_for_each_critical_alert_that_waits(settings: SettingsOf) -> None:
    found = settings(secret_keys=SECRET, receivers=PAGER, escalateAfter="30m", escalateTo="oncall")
    tree = _config(found)["route"]
    (late,) = (one for one in deliveries(tree, CRITICAL) if one.receiver == "oncall")
    assert (late.timing["group_wait"], late.timing["group_by"]) == ("30m", ["..."])
    assert _reached(found, severity="warning") == {"warnings"}


def test_destination_off_is_allowed_where_a_route_takes_critical_alerts(
    settings: SettingsOf,
) -> None:
    found = settings(
        "prod", secret_keys=SECRET, receivers=PAGER,
        routes=[{"receiver": "oncall", "matchers": ['severity="critical"']}],
        destinations={"critical": {"enabled": False}},
    )  # fmt: skip
    assert _reached(found, severity="critical", service="host") == {"oncall"}
