"""Reasons of failed notifications, from Alertmanager's log."""

from __future__ import annotations

import json
import re
from datetime import datetime

import docker
from docker.errors import DockerException

from components.docker.config_files_provider import ConfigFilesError, connect_to
from components.docker.container import container_name
from components.docker.engines import engine_of
from components.settings.settings import Settings

_ERROR = re.compile(r'\berr=("(?:\\.|[^"\\])*"|\S+)')
# Prefix of the reason in the log: `critical/slack[0]: notify retry canceled after 2 attempts:`.
_PREAMBLE = re.compile(r"^[\w-]+/\w+\[\d+\]: notify retry canceled (?:[a-z ]+)?\d+ attempts: ")
# The path of a webhook is its secret.
_URL_PATH = re.compile(r"(https?://[^/\s\"']+)/[^\s\"']*")


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
