"""The routes of alerts: a table, one row a destination, rendered to `alertmanager.yml`.

Every row whose labels match gets the alert. Nothing is routed to nobody: an alert that matches
no row goes where critical ones go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import yaml

from components.alertmanager import receivers
from components.alertmanager.receivers import CONFIG_DIR, HEARTBEAT_RECEIVER
from components.catalog.integrations import with_defaults
from components.settings.settings import Settings

# What is one message: alerts that agree on these.
GROUP_BY = ("alertname", "service", "stack")
HEARTBEAT_ALERT = "Watchdog"
HEARTBEAT_MATCHER = f'alertname="{HEARTBEAT_ALERT}"'


@dataclass(frozen=True)
class Destination:
    """A receiver, which is also the key of its Slack channel, and the matcher of its alerts.

    `wait` gathers the first alerts of a group into one message, `interval` spaces messages on
    alerts that join it, `repeat` is when a firing alert is sent again.
    """

    receiver: str
    matcher: str
    wait: str = "5s"
    interval: str = "1m"
    repeat: str = "12h"


DESTINATIONS = (
    Destination("critical", 'severity="critical"', repeat="1h"),
    Destination("warnings", 'severity="warning"', wait="30s", interval="5m"),
    Destination("database", 'service=~"cache|database"'),
    Destination("backend", 'service="backend"'),
)
DEFAULT = DESTINATIONS[0]


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


def destinations(monitored: Collection[str]) -> tuple[Destination, ...]:
    """Return the destinations of a stack that monitors these kinds of services."""
    services: dict[str, list[str]] = defaultdict(list)
    for found in with_defaults(monitored):
        if found.destination:
            services[found.destination].append(found.service)
    return tuple(
        replace(row, matcher=f'service=~"{"|".join(sorted(services[row.receiver]))}"')
        if len(services[row.receiver]) > 1
        else row
        for row in DESTINATIONS
    )


def render_config(settings: Settings) -> str:
    """`alertmanager.yml`. Secrets are named as files."""
    config: dict[str, Any] = {
        "global": receivers.global_settings(settings),
        "templates": [f"{CONFIG_DIR}/*.tmpl"],
        "route": {
            "receiver": DEFAULT.receiver,
            "group_by": list(GROUP_BY),
            **_timing(DEFAULT),
            "routes": [_heartbeat_route(), *map(_route, destinations(settings.watch))],
        },
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
            *(receivers.built_in(settings, found.receiver) for found in DESTINATIONS),
        ],
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _timing(destination: Destination) -> dict[str, str]:
    return {
        "group_wait": destination.wait,
        "group_interval": destination.interval,
        "repeat_interval": destination.repeat,
    }


def _route(destination: Destination) -> dict[str, Any]:
    return {
        "receiver": destination.receiver,
        "matchers": [destination.matcher],
        "continue": True,
        **_timing(destination),
    }


def _heartbeat_route() -> dict[str, Any]:
    """Not on to the others: the alert that always fires is for a machine that misses it.

    A minute after the last beat. Whether to repeat is asked once an interval, and a repeat of as
    much as the interval is then a moment short of due: asked once a minute for a repeat after one,
    the beat comes every two (seen).
    """
    return {
        "receiver": HEARTBEAT_RECEIVER,
        "matchers": [HEARTBEAT_MATCHER],
        "group_wait": "0s",
        "group_interval": "30s",
        "repeat_interval": "55s",
    }
