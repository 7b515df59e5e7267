"""Receivers of alerts: channels, mail, the heartbeat, and warnings about missing ones."""

from __future__ import annotations

from typing import Any

import pytest

from components.alertmanager import routing
from components.settings import notification_warnings
from components.settings.settings import Settings
from tests.unit import alertmanager_config
from tests.unit.alertmanager_config import REACHABLE, SettingsOf, rendered_config

config = alertmanager_config.config


def _without(missing: str, settings: SettingsOf) -> Settings:
    return settings(**{**REACHABLE, missing: ""})


def _receivers(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {receiver["name"]: receiver for receiver in config["receivers"]}


def _channels(config: dict[str, Any]) -> dict[str, str]:
    return {
        name: receiver["slack_configs"][0]["channel"]
        for name, receiver in _receivers(config).items()
        if "slack_configs" in receiver
    }


def test_the_channels_are_those_of_the_settings(settings: SettingsOf) -> None:
    channels = {"critical": "#a", "warnings": "#b", "database": "#c", "backend": "#d"}
    assert _channels(rendered_config(settings(**REACHABLE, slackChannels=channels))) == channels


def test_the_channels_are_vitalstreams_by_default(config: dict[str, Any]) -> None:
    assert _channels(config) == {
        "critical": "#vitalstream-critical",
        "warnings": "#vitalstream-warnings",
        "database": "#vitalstream-database",
        "backend": "#vitalstream-backend",
    }


def test_only_critical_alerts_are_mailed(config: dict[str, Any]) -> None:
    mailing = [name for name, found in _receivers(config).items() if "email_configs" in found]
    assert mailing == ["critical"]


def test_a_mail_goes_to_everybody_in_the_settings(settings: SettingsOf) -> None:
    config = rendered_config(settings(**REACHABLE, mailTo=["a@example.com", "b@example.com"]))
    mail = _receivers(config)["critical"]["email_configs"][0]
    assert mail["to"] == "a@example.com, b@example.com"


def test_the_default_receiver_reaches_somebody(config: dict[str, Any]) -> None:
    default = _receivers(config)[config["route"]["receiver"]]
    assert {"slack_configs", "email_configs"} <= set(default)


def test_every_receiver_sends_resolved(config: dict[str, Any]) -> None:
    silent = [
        name
        for name, receiver in _receivers(config).items()
        for kind in ("slack_configs", "email_configs")
        for destination in receiver.get(kind, [])
        if destination["send_resolved"] is not True
    ]
    assert silent == []


def test_the_configuration_names_secrets_by_their_files_alone(
    settings: SettingsOf, canaries: dict[str, str]
) -> None:
    text = routing.render_config(settings(**canaries, mailUsername="m", mailSmarthost="s:25"))
    assert [key for key, secret in canaries.items() if secret in text] == []


def test_mail_logs_in_with_a_password_file(settings: SettingsOf) -> None:
    login = {"mailUsername": "monitoring", "mailPassword": "canary-of-mail"}
    config = rendered_config(settings(**REACHABLE, **login))["global"]
    assert (config["smtp_auth_username"], config["smtp_auth_password_file"]) == (
        "monitoring",
        "/etc/alertmanager/secrets/mail_password",
    )


def test_without_a_mail_login_none_is_tried(config: dict[str, Any]) -> None:
    assert [key for key in config["global"] if "auth" in key] == []


@pytest.mark.parametrize("require", ["true", "false"])
def test_mail_without_tls_is_refused_unless_the_settings_allow_it(
    require: str, settings: SettingsOf
) -> None:
    config = rendered_config(settings(**REACHABLE, mailRequireTls=require))
    assert config["global"]["smtp_require_tls"] is (require == "true")


@pytest.mark.parametrize(
    ("missing", "kind"), [("slackWebhookUrl", "slack"), ("mailSmarthost", "email")]
)
def test_what_is_not_set_up_is_in_no_receiver(
    missing: str, kind: str, settings: SettingsOf
) -> None:
    assert f"{kind}_" not in routing.render_config(_without(missing, settings))


@pytest.mark.parametrize(
    ("missing", "words"), [("slackWebhookUrl", "no Slack: "), ("mailSmarthost", "no mail")]
)
def test_missing_receiver_is_a_warning(missing: str, words: str, settings: SettingsOf) -> None:
    assert [
        text[: len(words)]
        for text in notification_warnings.missing_receivers(_without(missing, settings))
    ] == [words]


@pytest.mark.parametrize("missing", ["slackWebhookUrl", "mailSmarthost"])
def test_missing_receiver_warning_names_its_setting(missing: str, settings: SettingsOf) -> None:
    assert missing in notification_warnings.missing_receivers(_without(missing, settings))[0]


def test_warnings_with_all_receivers_set_are_empty(settings: SettingsOf) -> None:
    assert notification_warnings.missing_receivers(settings(**REACHABLE)) == []


def test_a_heartbeat_has_no_end(settings: SettingsOf) -> None:
    config = rendered_config(settings(heartbeatUrl="https://beats.example.com/1"))
    assert _receivers(config)["heartbeat"]["webhook_configs"] == [
        {"url_file": "/etc/alertmanager/secrets/heartbeat_url", "send_resolved": False}
    ]


def test_without_a_heartbeat_address_the_beat_goes_nowhere(config: dict[str, Any]) -> None:
    assert _receivers(config)["heartbeat"] == {"name": "heartbeat"}


def test_placeholder_mail_server_of_prod_is_a_warning(settings: SettingsOf) -> None:
    placeholder = {
        **REACHABLE,
        "mailSmarthost": f"{notification_warnings.PLACEHOLDER_SMARTHOST}:587",
    }
    (words,) = notification_warnings.missing_receivers(settings(**placeholder))
    assert words.startswith("mailSmarthost is the placeholder smtp.example.com:587")
