"""Reasons of failed notifications, from Alertmanager's log."""

from __future__ import annotations

import json
import re
from datetime import datetime

import docker
from docker.errors import DockerException

from components.docker.connection import ConfigFilesError, connect_to
from components.docker.container import container_name
from components.docker.engines import engine_of
from components.settings.settings import Settings

_ERROR = re.compile(r'\berr=("(?:\\.|[^"\\])*"|\S+)')
# Prefix of the reason in the log: `critical/slack[0]: notify retry canceled after 2 attempts:`.
_PREAMBLE = re.compile(r"^[\w-]+/\w+\[\d+\]: notify retry canceled (?:[a-z ]+)?\d+ attempts: ")
# The path of a webhook is its secret.
_URL_PATH = re.compile(r"(https?://[^/\s\"']+)/[^\s\"']*")

# Fixes by Slack's names: https://api.slack.com/methods/chat.postMessage#errors
_INVITE = "/invite @your-app in that channel"
_TOKEN = "the app's Bot User OAuth Token: pulumi config set --secret slackToken, pulumi up"
_WEBHOOK = "a new webhook: pulumi config set --secret slackWebhookUrl, pulumi up"
_ARCHIVED = "another channel in slackChannels, or take this one out of the archive"
FIXES = {
    "not_in_channel": _INVITE,
    "channel_not_found": f"the name in slackChannels; in a private channel {_INVITE}",
    "is_archived": _ARCHIVED,
    "channel_is_archived": _ARCHIVED,
    "restricted_action": "let the app post there: the channel's posting permissions",
    "missing_scope": "add chat:write to the app's Bot Token Scopes and install it again",
    "invalid_auth": _TOKEN,
    "not_authed": _TOKEN,
    "account_inactive": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "no_service": _WEBHOOK,
    "no_active_hooks": _WEBHOOK,
    "invalid_token": _WEBHOOK,
}


class Log:
    """Log of a stack's Alertmanager, if its Docker Engine answers."""

    def __init__(self, settings: Settings) -> None:
        self._name = container_name(settings.stack, "alertmanager")
        self._client = _client(settings)

    def errors(self, receiver: str, integration: str, since: datetime) -> list[str]:
        """Return the logged reasons in order, without duplicates."""
        if self._client is None:
            return []
        try:
            text = self._client.containers.get(self._name).logs(since=since.timestamp())
        except (DockerException, OSError):
            return []
        return errors_in(text.decode(errors="replace"), receiver, integration)


def _client(settings: Settings) -> docker.DockerClient | None:
    try:
        return connect_to(engine_of(settings, "alertmanager").props)
    except ConfigFilesError:
        return None


def errors_in(text: str, receiver: str, integration: str) -> list[str]:
    """Return the reasons in a log text."""
    ours = re.compile(
        rf"\breceiver={re.escape(receiver)} integration={integration}\["
        rf"|{re.escape(receiver)}/{integration}\["
    )
    found = [
        _reason(match[1])
        for line in text.splitlines()
        if ours.search(line) and (match := _ERROR.search(line))
    ]
    return list(dict.fromkeys(reversed(found)))[::-1]


def _reason(quoted: str) -> str:
    try:
        words = str(json.loads(quoted))
    except ValueError:
        words = quoted
    return _URL_PATH.sub(r"\1/...", _PREAMBLE.sub("", words)).strip()


def with_fix(reason: str) -> str:
    """Return a reason of Alertmanager's log with the fix of Slack's error in it, if it has one."""
    fixes = (FIXES[word] for word in re.findall(r"[a-z_]+", reason) if word in FIXES)
    fix = next(fixes, "")
    return f"{reason}. fix: {fix}" if fix else reason
