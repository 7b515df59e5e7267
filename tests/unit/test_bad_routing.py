"""Receivers, routes and mute times that are refused, each with a fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.alertmanager import alertmanager
from components.settings import loader
from components.settings.loader import SettingsError
from components.settings.settings import Settings

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
PAGER = {"oncall": {"pagerduty_configs": [{"routing_key": KEY}]}}
TO_PAGER = [{"receiver": "oncall"}]
SECRET = ("receivers",)
NIGHT = {"intervals": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]}

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
    (
        {"muteTimes": {"a": {"intervals": [
            {"times": [{"start_time": "08:00", "end_time": "24:00"}]},
            {"times": [{"start_time": "00:00", "end_time": "08:00"}]}]}}},
        "muteTimes.a.intervals",
        "covers all time",
    ),
    (
        {"muteTimes": {"a": {"intervals": [
            {"weekdays": ["monday:friday", "saturday", "sunday"], "months": ["january:december"],
             "days_of_month": ["1:-1"]}]}}},
        "muteTimes.a.intervals.0",
        "covers all time",
    ),
    (
        {"receivers": {"oncall": {"pagerduty_configs": [
            {"routing_key": KEY, "description": "{{ .Status "}]}}},
        "receivers.oncall.pagerduty_configs.0.description",
        "is a template with {{ and no }}",
    ),
    (
        {"receivers": {"oncall": {"pagerduty_configs": [
            {"routing_key": KEY, "details": {"a": '{{ template "vitalstream.tilte" . }}'}}]}}},
        "receivers.oncall.pagerduty_configs.0.details.a",
        "names the template vitalstream.tilte, which there is not",
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


def test_receiver_secret_in_clear_text_beside_an_encrypted_one_is_refused() -> None:
    entries = [{"routing_key": KEY}, {"routing_key": f"{KEY}-2"}]
    receivers = {"oncall": {"pagerduty_configs": entries}}
    written = {"oncall": {"pagerduty_configs": [{"routing_key": {"secure": "v1:a"}}, entries[1]]}}
    values = {
        "grafanaAdminPassword": "canary-of-grafana",
        "postgresPassword": "canary-of-postgres",
        "receivers": json.dumps(receivers),
        "routes": json.dumps(TO_PAGER),
    }
    with pytest.raises(SettingsError) as error:
        loader.parse("prod", values, list(values), {"receivers": written})
    (line,) = str(error.value).splitlines()[1:]
    place = "receivers.oncall.pagerduty_configs[1].routing_key"
    assert "is a secret: set it with --secret" in line
    assert line.endswith(f"fix: pulumi config set --secret --path '{place}' --stack prod")
    assert KEY not in line


@pytest.mark.parametrize(
    "interval",
    [
        {"weekdays": ["monday:friday"]},
        {"weekdays": ["sunday:saturday"], "years": ["2030"]},
        {"days_of_month": ["1:30"]},
        {"months": ["january:november"]},
        {"times": [{"start_time": "00:01", "end_time": "24:00"}]},
    ],
)
def test_mute_time_of_some_days_or_hours_is_taken(
    interval: dict[str, Any], settings: SettingsOf
) -> None:
    assert settings(muteTimes={"a": {"intervals": [interval]}}).mute_times


def test_template_with_an_error_is_named_by_amtool_as_its_setting(
    settings: SettingsOf, amtool: Callable[..., str], tmp_path: Path
) -> None:
    entry = {"routing_key": KEY, "description": "{{ .Status | toUper }}"}
    receivers = {"oncall": {"pagerduty_configs": [entry]}}
    found = settings(secret_keys=SECRET, receivers=receivers, routes=TO_PAGER)
    spec = alertmanager.spec(found)
    assert spec.files is not None
    for path, text in {**spec.files.files, **spec.files.secret_files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.replace("/etc/alertmanager", str(tmp_path)))
    with pytest.raises(AssertionError) as error:
        amtool("check-config", str(tmp_path / "alertmanager.yml"))
    name = "receivers.oncall.pagerduty_configs.0.description.tmpl"
    assert f'{name}:1: function "toUper" not defined' in str(error.value)
