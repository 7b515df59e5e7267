"""Warnings about alerts that would be sent to no one, or in clear text."""

from __future__ import annotations

from collections.abc import Iterator

from components.rules.overrides import PROD
from components.settings import in_house, receivers
from components.settings.receivers import CHANNELS
from components.settings.settings import Settings

# What Pulumi.prod.yaml comes with.
PLACEHOLDER_SMARTHOST = "smtp.example.com"


def missing_receivers(settings: Settings) -> list[str]:
    """Return a warning for each receiver that has no destination."""
    missing = []
    own = settings.built_in_destinations
    if own and not settings.has_slack:
        missing.append(_no_slack(settings))
    elif without := [name for name in own if not settings.posts_to(name)]:
        missing.append(
            f"no Slack webhook for {', '.join(without)}: set it with `pulumi config set --secret "
            f"--path slackWebhookUrls.{without[0]}`"
        )
    if settings.mail_smarthost.partition(":")[0] == PLACEHOLDER_SMARTHOST:
        missing.append(
            f"mailSmarthost is the placeholder {settings.mail_smarthost}: set yours, or no mail "
            "arrives"
        )
    if not settings.mail_smarthost and "critical" in own:
        missing.append(
            "no mail server: until `pulumi config set mailSmarthost HOST:PORT` no mail is sent for "
            "critical alerts"
        )
    return missing


def _no_slack(settings: Settings) -> str:
    how = "`pulumi config set --secret slackToken` (or slackWebhookUrl)"
    if settings.mail_smarthost:
        return f"no Slack: until {how} alerts go by mail alone"
    return f"no Slack: until {how} no alert is sent to the four channels"


def plain_http(settings: Settings) -> Iterator[str]:
    """Yield a warning for each host in the house that gets messages in clear text."""
    urls = {
        "slackWebhookUrl": settings.slack_webhook_url.get_secret_value(),
        **{f"slackWebhookUrls.{name}": settings.slack_webhook_urls.of(name) for name in CHANNELS},
        "heartbeatUrl": settings.heartbeat_url.get_secret_value(),
        **{
            ".".join(("receivers", *path)): url
            for path, url in receivers.posted_urls(settings.receivers)
        },
    }
    for key, url in urls.items():
        if host := in_house.plain_http_host(url):
            yield (
                f"vitalstream:{key} is http to {host}: whoever is on that network reads the "
                "messages, and can post as this stack; https where it has a certificate "
                "(vitalstream:deliveryCa)"
            )


def unnoticed_in_prod(settings: Settings) -> Iterator[str]:
    """Yield a warning for each optional setting that a stack in production should have."""
    if settings.stack != PROD:
        return
    if not settings.heartbeat_url.get_secret_value():
        yield (
            "vitalstream:heartbeatUrl is not set: if this machine fails, no alert is sent; "
            f"`pulumi config set --secret heartbeatUrl --stack {settings.stack}`"
        )
    if not settings.public_host:
        yield (
            "vitalstream:publicHost is not set: links in messages lead to "
            f"{settings.url('grafana')}; `pulumi config set publicHost HOST --stack "
            f"{settings.stack}`"
        )
