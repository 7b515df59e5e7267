"""Drills against a fake Alertmanager that runs a stack's configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from components.alertmanager import routing
from components.settings.settings import Settings
from ops import drill
from ops.drill import command
from ops.drill import runner as conduct_
from tests.unit.fake_alertmanager import FakeAlertmanager, serving

EVERYBODY = {
    "slackWebhookUrl": "https://hooks.example/a",
    "mailSmarthost": "mail.test:25",
    "heartbeatUrl": "https://beats.example/b",
}

SettingsOf = Callable[..., Settings]


@dataclass(frozen=True)
class Outcome:
    passed: bool
    lines: dict[tuple[str, str], str]
    """By receiver and the first word of its integration."""


@pytest.fixture
def alertmanager(settings: SettingsOf) -> Iterator[Callable[..., FakeAlertmanager]]:
    """Makes one that runs the configuration of a stack, without its waits."""
    with ExitStack() as stack:

        def make(changes: dict[str, Any] | None = None, **behaviour: Any) -> FakeAlertmanager:
            values = EVERYBODY if changes is None else changes
            config = yaml.safe_load(routing.render_config(settings(**values)))
            for route in (config["route"], *config["route"]["routes"]):
                route |= {"group_wait": "0s", "group_interval": "0s"}
            return stack.enter_context(serving(FakeAlertmanager(config, **behaviour)))

        yield make


@pytest.fixture
def run(settings: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    monkeypatch.setattr(conduct_, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(command.console, "width", 300)

    def run(fake: FakeAlertmanager, *, until_resolved: bool = False) -> Outcome:
        with command.console.capture() as captured:
            passed = drill.run(settings(), fake.url, 0.1, until_resolved=until_resolved)
        words = [line.split() for line in captured.get().splitlines()]
        return Outcome(passed, {(w[0], w[1]): " ".join(w) for w in words if len(w) > 1})

    return run
