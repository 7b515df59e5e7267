"""Which alerts a drill sends: one for each row of the table of receivers, and for the heartbeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from components.alertmanager.destinations import DESTINATIONS, HEARTBEAT_MATCHER, Destination
from components.alertmanager.receivers import HEARTBEAT_RECEIVER
from components.alertmanager.routes import Row
from components.common.quantities import duration_seconds

ALERT = "Drill"
DRILL_LABEL = "drill"
"""Marks a drill's alerts; the templates of messages know it."""
LINK = "https://github.com/vitalstream/monitoring/blob/main/docs/operations/alerting.md#the-drill"
# Of several values of a label the first is taken.
_MATCHER = re.compile(r'(\w+)\s*=~?\s*"?([^"|]*)(?:\|[^"]*)?"?')


@dataclass(frozen=True)
class DrillAlert:
    """An alert made for one receiver; `expected` are all that get it, where others do too."""

    receiver: str
    labels: dict[str, str]
    annotations: dict[str, str]
    expected: frozenset[str] = frozenset()

    def posted(self, starts: datetime, ends: datetime) -> dict[str, Any]:
        """As Alertmanager's API v2 takes it."""
        return {
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": starts.isoformat(),
            "endsAt": ends.isoformat(),
            "generatorURL": LINK,
        }

    @property
    def as_filter(self) -> list[str]:
        """Matchers of this alert alone."""
        return [f'{name}="{value}"' for name, value in self.labels.items()]


def plan(
    stack: str, now: datetime, rows: Sequence[Destination | Row] = DESTINATIONS
) -> list[DrillAlert]:
    """The alerts, those of the shortest wait first.

    Each has the labels that its row asks for, and else none that a row or an inhibition knows.
    No real alert has this `stack`, which every inhibition compares; and as it differs from drill
    to drill, no drill joins a group of one before, which would make it wait longer.
    """
    drilled = f"{stack} (drill {now:%H:%M:%S})"
    soonest = sorted(rows, key=lambda found: duration_seconds(found.wait))
    matchers = {
        HEARTBEAT_RECEIVER: (HEARTBEAT_MATCHER,),
        **{found.receiver: found.matchers for found in soonest},
    }
    return [
        DrillAlert(receiver, _labels(asked, drilled), _annotations(receiver, stack, now))
        for receiver, asked in matchers.items()
    ]


def lifetime(seconds: float) -> timedelta:
    """How long an alert fires if nobody ends it: the drill, with room to spare."""
    return timedelta(seconds=seconds + 60)


def _labels(matchers: Sequence[str], stack: str) -> dict[str, str]:
    """The labels that a route asks for; a label that it must not have, the alert has not."""
    asked = {}
    for matcher in matchers:
        found = _MATCHER.fullmatch(matcher.strip())
        if found is None and "!" not in matcher:
            raise ValueError(f"a drill cannot make an alert for the matcher {matcher}")
        if found:
            asked[found[1]] = found[2]
    return {
        "alertname": ALERT,
        "severity": "drill",
        "service": "drill",
        "stack": stack,
        DRILL_LABEL: "true",
        **asked,
    }


def _annotations(receiver: str, stack: str, now: datetime) -> dict[str, str]:
    return {
        "summary": f"This is a test: nothing is wrong with {stack}",
        "description": (
            f"A drill at {now:%H:%M:%S} UTC, to see that alerts for the receiver {receiver} arrive "
            "here. There is nothing to do. A message that it is over follows."
        ),
        "runbook_url": LINK,
        "dashboard_uid": "vitalstream-monitoring",
    }
