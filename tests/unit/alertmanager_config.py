"""Alertmanager's configuration of a stack with Slack and mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.alertmanager import routing
from components.settings.settings import Settings
from tests import yaml_text

HOOK = "https://canary-slack_webhook_url.example/hook"
REACHABLE = {"slackWebhookUrl": HOOK, "mailSmarthost": "mail.test:587"}

SettingsOf = Callable[..., Settings]


def rendered_config(settings: Settings) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml_text.load(routing.render_config(settings))
    return loaded


@pytest.fixture
def config(settings: SettingsOf) -> dict[str, Any]:
    return rendered_config(settings(**REACHABLE))
