"""Renders `alertmanager.yml`: routes, inhibitions and receivers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from components.alertmanager import receivers, routes, user_receivers
from components.alertmanager.destinations import DESTINATIONS
from components.alertmanager.receivers import CONFIG_DIR
from components.catalog.integrations import with_defaults
from components.common import yaml_text
from components.settings.settings import Settings


@dataclass(frozen=True)
class Inhibition:
    """Inhibition of the alerts of `target` while an alert of `source` with the same labels `equal`
    fires.

    Alertmanager takes a label that both alerts lack as equal: a label in `equal` that not every
    alert has needs a matcher that requires it.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]


def _inhibits(
    alert: str, service: str, *target: str, same: tuple[str, ...] = ("stack",)
) -> Inhibition:
    """While `alert` fires, the other alerts of its service that match `target` are consequences.

    Critical ones too, such as the error rate: whoever is on call is already notified. `same` are
    the labels that make the other alert one of the same thing.
    """
    named = ('instance=~".+"',) if "instance" in same else ()
    return Inhibition(
        (f'alertname="{alert}"', *named),
        (f'service="{service}"', f'alertname!="{alert}"', *target, *named),
        same,
    )


_INSTANCE = ("stack", "instance")
# One of several backends that is down explains what else is wrong with it, and pages nobody:
# BackendInstanceDown is sent in the place of BackendDown. When none is left BackendDown is sent,
# and BackendUnavailable, which it inhibits, inhibits the rest.
_BACKEND = (
    _inhibits("BackendInstanceDown", "backend", same=_INSTANCE),
    _inhibits("BackendDown", "backend", 'alertname!="BackendInstanceDown"', same=_INSTANCE),
    _inhibits("BackendDown", "backend", 'alertname="BackendUnavailable"'),
    _inhibits("BackendUnavailable", "backend", 'alertname!="BackendDown"'),
    # Requests that hang do not complete: both are true, one is the cause.
    _inhibits("BackendHanging", "backend", 'alertname="BackendNoTraffic"'),
)


def inhibitions(monitored: Collection[str]) -> tuple[Inhibition, ...]:
    """Return the inhibitions of a stack that monitors these kinds of services."""
    return (
        Inhibition(
            ('severity="critical"', 'instance=~".+"'),
            ('severity="warning"', 'instance=~".+"', 'alertname!="BackendInstanceDown"'),
            ("stack", "service", "instance"),
        ),
        *_BACKEND,
        *(
            inhibition
            for found in with_defaults(monitored)
            if found.down_alert and found.exporter
            for inhibition in _server_down(found.down_alert, found.service)
        ),
    )


def _server_down(alert: str, service: str) -> tuple[Inhibition, Inhibition]:
    """Return what the alert of a server inhibits: other alerts of the same server.

    Without any target there is no instance to compare, and no other alert but the exporter's.
    """
    exporter = f"{alert.removesuffix('Down')}ExporterDown"
    return (
        _inhibits(alert, service, same=_INSTANCE),
        _inhibits(alert, service, f'alertname="{exporter}"'),
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
    return yaml_text.dump(config)
