"""Renders `alertmanager.yml`: routes, inhibitions and receivers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from components.alertmanager import receivers, routes, user_receivers
from components.alertmanager.destinations import DESTINATIONS
from components.alertmanager.receivers import CONFIG_DIR
from components.catalog.integrations import with_defaults
from components.settings.settings import Settings


@dataclass(frozen=True)
class Inhibition:
    """While an alert of `source` fires, the alerts of `target` that agree on `equal` are held back.

    Alertmanager takes a label that both sides lack as equal: a label in `equal` that not every
    alert has needs a matcher that asks for it.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]


def _down(alert: str, service: str) -> Inhibition:
    """While a service is down, what else is wrong with it is a consequence.

    Its error rate too, although that is critical: whoever is on call has been told already.
    """
    return Inhibition(
        (f'alertname="{alert}"',), (f'service="{service}"', f'alertname!="{alert}"'), ("stack",)
    )


def inhibitions(monitored: Collection[str]) -> tuple[Inhibition, ...]:
    """Return the inhibitions of a stack that monitors these kinds of services."""
    return (
        Inhibition(
            ('severity="critical"', 'instance=~".+"'),
            ('severity="warning"', 'instance=~".+"'),
            ("stack", "service", "instance"),
        ),
        *(
            _down(found.down_alert, found.service)
            for found in with_defaults(monitored)
            if found.down_alert
        ),
    )


def render_config(settings: Settings) -> str:
    """`alertmanager.yml`. Secrets are named as files."""
    used = routes.receivers_of(settings)
    config: dict[str, Any] = {
        "global": receivers.global_settings(settings),
        "templates": [f"{CONFIG_DIR}/*.tmpl"],
        "route": routes.tree(settings),
        "inhibit_rules": [
            {
                "source_matchers": list(rule.source),
                "target_matchers": list(rule.target),
                "equal": list(rule.equal),
            }
            for rule in inhibitions(settings.watch)
        ],
        "receivers": [
            receivers.heartbeat(settings),
            *(
                receivers.built_in(settings, row.receiver)
                for row in DESTINATIONS
                if row.receiver in used
            ),
            *user_receivers.render(settings),
            *([{"name": routes.NOBODY}] if routes.NOBODY in used else []),
        ],
    }
    if settings.mute_times:
        config["time_intervals"] = routes.time_intervals(settings)
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
