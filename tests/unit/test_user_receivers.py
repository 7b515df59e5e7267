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
Refused = Callable[..., str]
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


# What is set beside the receiver `oncall`, the path of the problem, and what the message says.
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"routes": [{"receiver": "oncal"}]}, "routes.0.receiver", "is an unknown receiver"),
    ({"routes": []}, "receivers.oncall", "is a receiver that nothing is routed to"),
    (
        {"routes": [{"receiver": "oncall", "mute": ["day"]}]},
        "routes.0.mute.0",
        "is an unknown mute time",
    ),
    (
        {"routes": [{"receiver": "oncall", "matchers": ["team"]}]},
        "routes.0.matchers.0",
        "is not a matcher",
    ),
    ({"muteTimes": {"a": {"intervals": [{}]}}}, "muteTimes.a.intervals.0", "covers all time"),
    (
        {
            "muteTimes": {
                "a": {"intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}
            }
        },
        "muteTimes.a.intervals.0",
        "covers all time",
    ),
    (
        {"muteTimes": {"a": {**NIGHT, "includingCritical": True}}},
        "muteTimes.a.reason",
        "only with a reason",
    ),
    ({"timezone": "Istanbul"}, "timezone", "is not a time zone"),
    ({"destinations": {"critical": {"enabled": False}}, "routes": [
        {"receiver": "oncall", "matchers": ['team="a"']}]},
     "destinations.critical.enabled", "in prod they reach somebody"),
    ({"escalateAfter": "30m"}, "escalateTo", "go together"),
    ({"escalateTo": "oncall"}, "escalateAfter", "go together"),
    ({"escalateAfter": "30m", "escalateTo": "x"}, "escalateTo", "is an unknown receiver"),
    (
        {"receivers": {**PAGER, "critical": PAGER["oncall"]}},
        "receivers.critical",
        "is the name of a built-in receiver",
    ),
    (
        {"receivers": {"oncall": {"pagerduty_config": [{"routing_key": KEY}]}}},
        "receivers.oncall.pagerduty_config",
        "a receiver has integrations alone",
    ),
    (
        {"receivers": {"oncall": {"sns_configs": [{"sigv4": {"secret_key": KEY}}]}}},
        "receivers.oncall.sns_configs.0.sigv4.secret_key",
        "cannot be kept secret",
    ),
    (
        {"receivers": {"oncall": {"pagerduty_configs": [{"routing_key_file": "/run/key"}]}}},
        "receivers.oncall.pagerduty_configs.0.routing_key_file",
        "names a file that is not in the container",
    ),
    (
        {"receivers": {"oncall": {"opsgenie_configs": [{"api_url": f"https://a:{KEY}@b.c"}]}}},
        "receivers.oncall.opsgenie_configs.0.api_url",
        "has a login or a token in it",
    ),
    (
        {"receivers": {"oncall": {"webhook_configs": [
            {"url": "https://h", "http_config": {"proxy_url": f"http://a:{KEY}@b:3128"}}]}}},
        "receivers.oncall.webhook_configs.0.http_config.proxy_url",
        "deliveryProxy that of a proxy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "path", "words"), WRONG, ids=[row[1] for row in WRONG])
def test_wrong_routing_is_refused_by_its_path_with_a_fix(
    values: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    known = {"receivers": PAGER, "routes": TO_PAGER, "slackToken": "xoxb-1234-abc"}
    message = refused({**known, **values}, [*SECRET, "slackToken"], stack="prod")
    line = next(x for x in message.splitlines() if x.startswith(f"  vitalstream:{path} "))
    assert words in line
    assert "; fix: " in line
    assert KEY not in message


@pytest.mark.parametrize(
    "entry",
    [
        {"pagerduty_configs": [{"routing_key": KEY}]},
        {"webhook_configs": [{"url": "https://h", "http_config": {"bearer_token": KEY}}]},
        {"webhook_configs": [{"url": f"https://user:{KEY}@example.com"}]},
    ],
)
def test_receiver_secret_in_clear_text_is_refused_and_not_shown(
    entry: dict[str, Any], refused: Refused
) -> None:
    message = refused({"receivers": {"oncall": entry}, "routes": TO_PAGER}, ())
    assert "is a secret: set it with --secret; fix: pulumi config set --secret --path" in message
    assert KEY not in message


def test_destination_off_is_allowed_where_a_route_takes_critical_alerts(
    settings: SettingsOf,
) -> None:
    found = settings(
        "prod", secret_keys=SECRET, receivers=PAGER,
        routes=[{"receiver": "oncall", "matchers": ['severity="critical"']}],
        destinations={"critical": {"enabled": False}},
    )  # fmt: skip
    assert _reached(found, severity="critical", service="host") == {"oncall"}
