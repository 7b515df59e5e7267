"""The built-in destinations of alerts: a table, one row each.

Every row whose labels match gets the alert. An alert that matches no row goes where critical ones
go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

from components.catalog.integrations import with_defaults

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

    @property
    def matchers(self) -> tuple[str, ...]:
        return (self.matcher,)


DESTINATIONS = (
    Destination("critical", 'severity="critical"', repeat="1h"),
    Destination("warnings", 'severity="warning"', wait="30s", interval="5m"),
    Destination("database", 'service=~"cache|database"'),
    Destination("backend", 'service="backend"'),
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
