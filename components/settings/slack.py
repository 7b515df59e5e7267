"""Slack's part of the settings: a bot token or incoming webhooks, and the channels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr

from components.common.model import Frozen
from components.common.problems import Problem
from components.settings.types import web_url

# Slack allows letters of any script in a channel's name; an id is of capitals and digits.
_CHANNEL = re.compile(r"(?P<sign>[#@]?)(?P<name>\w(?:[\w.-]{0,78}\w)?)")
_CHANNEL_ID = re.compile(r"[CDGU][A-Z0-9]{7,14}")
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{5,}")
_GUIDE = "docs/operations/notifications.md"
# Whose webhook it is, by host and path; and the receiver's field that takes it.
_OTHERS = (
    (
        r"[^/]*\.(?:webhook\.office\.com|logic\.azure\.com|powerplatform\.com)(?::\d+)?/",
        "Microsoft Teams",
        "msteamsv2_configs",
        "webhook_url",
    ),
    # Discord takes Slack's messages at an address that ends with /slack.
    (
        r"discord(?:app)?\.com/api/webhooks/(?!.*/slack$)",
        "Discord",
        "discord_configs",
        "webhook_url",
    ),
    (r"api\.telegram\.org/", "Telegram", "telegram_configs", "bot_token"),
    (r"events(?:\.eu)?\.pagerduty\.com/", "PagerDuty", "pagerduty_configs", "routing_key"),
    (r"api(?:\.eu)?\.opsgenie\.com/", "Opsgenie", "opsgenie_configs", "api_key"),
)


def _channel(text: str) -> str:
    """A channel as Slack's API takes it: an id, or a name with its sign."""
    if _CHANNEL_ID.fullmatch(text):
        return text
    found = _CHANNEL.fullmatch(text)
    if found is None:
        raise ValueError(
            "is not a Slack channel: its name, such as #vitalstream-critical, or its id, such as "
            "C024BE91L"
        )
    return f"{found['sign'] or '#'}{found['name']}"


SlackChannel = Annotated[str, AfterValidator(_channel)]


class SlackChannels(Frozen):
    critical: SlackChannel = "#vitalstream-critical"
    warnings: SlackChannel = "#vitalstream-warnings"
    database: SlackChannel = "#vitalstream-database"
    backend: SlackChannel = "#vitalstream-backend"


class SlackWebhookUrls(Frozen):
    """One webhook for each channel: that of a Slack app posts to its own channel alone."""

    critical: SecretStr = SecretStr("")
    warnings: SecretStr = SecretStr("")
    database: SecretStr = SecretStr("")
    backend: SecretStr = SecretStr("")

    def of(self, channel: str) -> str:
        found: SecretStr = getattr(self, channel)
        return found.get_secret_value()


def token_problem(text: str) -> str:
    """What is wrong with a bot token; empty where it is right."""
    if not text or _BOT_TOKEN.fullmatch(text):
        return ""
    if text.startswith("https://"):
        return "is a URL: a webhook is set as slackWebhookUrl"
    return (
        "is not a bot token, which begins with xoxb-: it is the Bot User OAuth Token on the page "
        "OAuth & Permissions of the Slack app"
    )


def webhook_problems(url: str, path: tuple[str, ...], stack: str) -> Iterator[Problem]:
    """What is wrong with a webhook: the URL of something else."""
    if url.startswith("xox"):
        fix = f"pulumi config set --secret slackToken --stack {stack}"
        yield Problem(path, "is a token and not a URL: it is set as slackToken", fix)
        return
    try:
        web_url(SecretStr(url))
    except ValueError as error:
        yield Problem(path, str(error))
        return
    _, _, address = url.partition("://")
    if re.match(r"(?:[\w-]+\.)?slack\.com/api/", address):
        fix = f"pulumi config set --secret slackToken --stack {stack}"
        problem = "is Slack's API, which takes a bot token: it is set as slackToken"
        yield Problem(path, problem, fix)
    elif re.match(r"hooks\.slack\.com/(?:triggers|workflows)/", address):
        yield Problem(
            path,
            "starts a Slack workflow, which does not take Alertmanager's messages: it is an "
            "incoming webhook (https://hooks.slack.com/services/...) or slackToken",
            f"pulumi config set --secret slackToken --stack {stack}",
        )
    for pattern, name, kind, field in _OTHERS:
        if re.match(pattern, address):
            place = f"receivers.{name.rpartition(' ')[2].lower()}.{kind}[0].{field}"
            yield Problem(
                path,
                f"is a URL of {name}, which does not take Slack's messages; its place is {place} "
                f"({_GUIDE})",
                f"pulumi config set --secret --path '{place}' --stack {stack}",
            )


def way_problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """More than one way to Slack; `values` has the settings by their Python names."""
    token, one, several = (values.get(name) for name in _WAYS)
    ways = [
        key
        for key, there in (
            ("slackToken", token and token.get_secret_value()),
            ("slackWebhookUrl", one and one.get_secret_value()),
            ("slackWebhookUrls", several and any(map(several.of, SlackWebhookUrls.model_fields))),
        )
        if there
    ]
    if len(ways) > 1:
        yield Problem(
            (),
            f"is one way to Slack too many: {' and '.join(ways)} are set, and one is right",
            f"pulumi config rm {ways[-1]} --stack {values['stack']}",
        )


_WAYS = ("slack_token", "slack_webhook_url", "slack_webhook_urls")
