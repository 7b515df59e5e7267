"""Alerts of a drill: one for each receiver of the routing table, and the heartbeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from components.alertmanager.destinations import DESTINATIONS, HEARTBEAT_MATCHER, Destination
from components.alertmanager.receivers import HEARTBEAT_RECEIVER
from components.alertmanager.routes import CRITICAL, Row
from components.common.quantities import duration_seconds

ALERT = "Drill"
DRILL_LABEL = "drill"
"""Label of drill alerts, which the message templates show."""
LINK = "https://github.com/vitalstream/monitoring/blob/main/docs/operations/alerting.md#the-drill"
# Of several values of a label the first is taken.
_MATCHER = re.compile(r'(\w+)\s*=~?\s*"?([^"|]*)(?:\|[^"]*)?"?')


@dataclass(frozen=True)
class DrillAlert:
    """A test alert for one receiver; `expected` are all that get it, where others do too.

    `age` is for how many seconds it says to have been firing.
    """

    receiver: str
    labels: dict[str, str]
    annotations: dict[str, str]
    expected: frozenset[str] = frozenset()
    age: float = 0

    def posted(self, starts: datetime, ends: datetime) -> dict[str, Any]:
        """Return the alert for Alertmanager's API v2."""
        return {
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": (starts - timedelta(seconds=self.age)).isoformat(),
            "endsAt": ends.isoformat(),
            "generatorURL": LINK,
        }

    @property
    def as_filter(self) -> list[str]:
        """Return matchers for this alert only."""
        return [f'{name}="{value}"' for name, value in self.labels.items()]


def plan(
    stack: str,
    now: datetime,
    rows: Sequence[Destination | Row] = DESTINATIONS,
    escalation: tuple[str, str] = ("", ""),
) -> list[DrillAlert]:
    """Return an alert for each route, those with the shortest group_wait first.

    The receiver of `escalation` is the last, with a critical alert that has been firing for as long
    as it takes.

    Each has only the label that its route matches. The `stack` label is unique to the drill:
    inhibitions compare it, so no real alert is inhibited, and no earlier group delays the alert.
    """
    drilled = f"{stack} (drill {now:%H:%M:%S})"
    soonest = sorted(rows, key=lambda found: duration_seconds(found.wait))
    asked = [
        (HEARTBEAT_RECEIVER, (HEARTBEAT_MATCHER,), 0.0),
        *((found.receiver, tuple(found.matchers), 0.0) for found in soonest),
    ]
    to, after = escalation
    if to:
        asked.append((to, (CRITICAL,), duration_seconds(after) + 1))
    return [
        DrillAlert(
            receiver,
            # By its labels another alert than that of the same matcher, which is young.
            _labels(matchers, drilled) | ({"escalated": "true"} if age else {}),
            _annotations(receiver, stack, now),
            age=age,
        )
        for receiver, matchers, age in dict.fromkeys(asked)
    ]


def lifetime(seconds: float) -> timedelta:
    """Return the alerts' lifetime if the drill is killed: its duration and a minute."""
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
