"""The ways to Slack, and what is refused in its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.alertmanager import receivers, routing
from components.settings.settings import Settings

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
TOKEN = "xoxb-1234-abcdef"  # a form, not a token
HOOK = "https://hooks.slack.com/services/T0/B0/{}"
CHANNELS = ("critical", "warnings", "database", "backend")
HOOKS = {channel: HOOK.format(channel) for channel in CHANNELS}
WAYS = {"slackToken": TOKEN, "slackWebhookUrl": HOOK.format("one"), "slackWebhookUrls": HOOKS}


def _config(settings: Settings) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(routing.render_config(settings))
    return loaded


def _slack(settings: Settings) -> dict[str, dict[str, Any]]:
    return {
        one["name"]: one["slack_configs"][0]
        for one in _config(settings)["receivers"]
        if "slack_configs" in one
    }


def test_slack_with_a_token_posts_to_every_channel_with_it(settings: SettingsOf) -> None:
    found = settings(slackToken=TOKEN)
    assert _config(found)["global"]["slack_app_token_file"] == (
        "/etc/alertmanager/secrets/slack_token"
    )
    assert receivers.secret_files(found) == {"/etc/alertmanager/secrets/slack_token": TOKEN}
    assert {name: slack["channel"] for name, slack in _slack(found).items()} == {
        name: f"#vitalstream-{name}" for name in CHANNELS
    }


def test_slack_with_a_webhook_for_each_channel_uses_each(settings: SettingsOf) -> None:
    found = settings(secret_keys=["slackWebhookUrls"], slackWebhookUrls=HOOKS)
    files = receivers.secret_files(found)
    assert {files[slack["api_url_file"]] for slack in _slack(found).values()} == {*HOOKS.values()}
    assert not any(url in routing.render_config(found) for url in HOOKS.values())


def test_slack_with_webhooks_of_some_channels_warns_of_the_others(settings: SettingsOf) -> None:
    found = settings(
        secret_keys=["slackWebhookUrls"],
        slackWebhookUrls={"critical": HOOKS["critical"], "warnings": HOOKS["warnings"]},
    )
    assert set(_slack(found)) == {"critical", "warnings"}


@pytest.mark.parametrize("one", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_slack_by_two_ways_is_refused(one: str, other: str, refused: Refused) -> None:
    if one == other:
        return
    message = refused({one: WAYS[one], other: WAYS[other]}, ["slackWebhookUrls", *WAYS])
    assert f"{one} and {other} are set" in message or f"{other} and {one} are set" in message
    assert "fix: pulumi config rm slackWebhookUrl" in message


@pytest.mark.parametrize(
    ("channel", "posted"),
    [
        ("#kritik-uyarılar", "#kritik-uyarılar"),
        ("kritik-uyarılar", "#kritik-uyarılar"),
        ("アラート", "#アラート"),
        ("C024BE91L", "C024BE91L"),
        ("G012AB3CD4E", "G012AB3CD4E"),
        ("@somebody", "@somebody"),
    ],
)
def test_slack_channel_by_name_or_id_is_taken(
    channel: str, posted: str, settings: SettingsOf
) -> None:
    found = settings(slackToken=TOKEN, slackChannels={"critical": channel})
    assert _slack(found)["critical"]["channel"] == posted


# A URL, words of the problem, and the setting that the fix is about.
OF_OTHERS = [
    (
        "https://clinic.webhook.office.com/webhookb2/1",
        "Microsoft Teams",
        "receivers.teams.msteamsv2_configs[0].webhook_url",
    ),
    (
        "https://prod-1.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke",
        "Microsoft Teams",
        "receivers.teams.msteamsv2_configs[0].webhook_url",
    ),
    (
        "https://1.2.environment.api.powerplatform.com:443/powerautomate/automations/direct/1",
        "Microsoft Teams",
        "receivers.teams.msteamsv2_configs[0].webhook_url",
    ),
    (
        "https://discord.com/api/webhooks/1/canary",
        "Discord",
        "receivers.discord.discord_configs[0].webhook_url",
    ),
    (
        "https://events.pagerduty.com/v2/enqueue",
        "PagerDuty",
        "receivers.pagerduty.pagerduty_configs[0].routing_key",
    ),
    ("https://slack.com/api/chat.postMessage", "Slack's API", "slackToken"),
    ("https://hooks.slack.com/triggers/T0/1/canary", "Slack workflow", "slackToken"),
    ("https://hooks.slack.com/workflows/T0/A0/1/canary", "Slack workflow", "slackToken"),
    (TOKEN, "is a token and not a URL", "slackToken"),
]


@pytest.mark.parametrize(("url", "words", "setting"), OF_OTHERS)
@pytest.mark.parametrize("key", ["slackWebhookUrl", "slackWebhookUrls"])
def test_slack_webhook_of_something_else_is_refused_with_its_setting(
    key: str, url: str, words: str, setting: str, refused: Refused
) -> None:
    value: Any = {"critical": url} if key == "slackWebhookUrls" else url
    message = refused({key: value}, ["slackWebhookUrl", "slackWebhookUrls"], stack="prod")
    assert words in message
    assert "fix: pulumi config set --secret" in message
    assert setting in message
    assert "canary" not in message


def test_slack_webhook_of_discord_for_slack_messages_is_taken(settings: SettingsOf) -> None:
    assert settings(slackWebhookUrl="https://discord.com/api/webhooks/1/a/slack").has_slack


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("xoxp-1234-canary", "is not a bot token"),
        ("xapp-1-canary", "is not a bot token"),
        ("canary", "is not a bot token"),
        ("https://hooks.slack.com/services/canary", "a webhook is set as slackWebhookUrl"),
    ],
)
def test_slack_token_of_another_kind_is_refused(token: str, words: str, refused: Refused) -> None:
    message = refused({"slackToken": token}, ["slackToken"])
    assert words in message
    assert "canary" not in message


@pytest.mark.parametrize(
    ("values", "mailed"),
    [
        ({"slackToken": TOKEN}, {"critical"}),
        ({}, {"critical", "warnings"}),
        ({"slackToken": TOKEN, "mailFor": ["critical", "warnings"]}, {"critical", "warnings"}),
        ({"mailFor": ["database"]}, {"database"}),
    ],
)
def test_mail_goes_out_for_warnings_without_a_chat_or_where_asked(
    values: dict[str, Any], mailed: set[str], settings: SettingsOf
) -> None:
    config = _config(settings(mailSmarthost="mail.test:587", **values))
    assert {one["name"] for one in config["receivers"] if "email_configs" in one} == mailed


@pytest.mark.parametrize(
    "address", ["Monitoring <a@example.com>", '"Nöbet, gece" <a@example.com>', "a@example.com"]
)
def test_mail_address_with_a_name_is_taken(address: str, settings: SettingsOf) -> None:
    found = settings(mailSmarthost="mail.test:587", mailFrom=address, mailTo=[address])
    assert _config(found)["global"]["smtp_from"] == address
