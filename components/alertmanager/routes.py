"""The tree of routes: the heartbeat, escalation, the user's routes, the built-in destinations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from components.alertmanager.destinations import (
    DESTINATIONS,
    GROUP_BY,
    HEARTBEAT_MATCHER,
    Destination,
)
from components.alertmanager.receivers import HEARTBEAT_RECEIVER
from components.settings.receivers import Destination as DestinationSettings
from components.settings.receivers import Timings
from components.settings.settings import Settings

NOBODY = "nobody"
CRITICAL = 'severity="critical"'
NOT_CRITICAL = 'severity!="critical"'


@dataclass(frozen=True)
class Row:
    """A route: alerts that have all the matchers go to the receiver, and on unless it is the last.

    `mute` names mute times; critical alerts are not covered by those that do not include them.
    """

    receiver: str
    matchers: tuple[str, ...]
    wait: str
    interval: str
    repeat: str
    last: bool = False
    mute: tuple[str, ...] = ()


def rows(settings: Settings) -> list[Row]:
    """The routes of the user's own, then those of the built-in destinations."""
    return [*_own(settings), *_built_in(settings)]


def receivers_of(settings: Settings) -> set[str]:
    """The names of the receivers that any route leads to, but for the heartbeat's."""
    found = {row.receiver for row in rows(settings)} | {default(settings).receiver}
    return found | ({settings.escalate_to} if settings.escalate_to else set())


def default(settings: Settings) -> Row:
    """Where an alert goes that no route takes: where critical ones go, or else the first."""
    found = [*_built_in(settings), *_own(settings)]
    nobody = Row(NOBODY, (), **_times(Destination(NOBODY, ""), Timings()))
    return found[0] if found else nobody


def tree(settings: Settings) -> dict[str, Any]:
    """Return `route` of `alertmanager.yml`."""
    row = default(settings)
    return {
        "receiver": row.receiver,
        "group_by": list(GROUP_BY),
        **_timing(row),
        "routes": [
            _heartbeat_route(),
            *_escalation(settings),
            *(_route(part) for row in rows(settings) for part in _split(settings, row)),
        ],
    }


def time_intervals(settings: Settings) -> list[dict[str, Any]]:
    """Return the mute times, in the stack's time zone where they name no other."""
    return [
        {
            "name": name,
            "time_intervals": [{"location": settings.timezone, **one} for one in mute.intervals],
        }
        for name, mute in settings.mute_times.items()
    ]


def _own(settings: Settings) -> Iterator[Row]:
    for route in settings.routes:
        times = _times(Destination(route.receiver, ""), route.timings)
        yield Row(
            route.receiver, route.matchers, **times, last=not route.continue_, mute=route.mute
        )


def _built_in(settings: Settings) -> Iterator[Row]:
    changes = dict[str, DestinationSettings](settings.destinations.items())
    for destination in DESTINATIONS:
        change = changes.get(destination.receiver, DestinationSettings())
        if change.enabled:
            yield Row(
                change.receiver or destination.receiver,
                (destination.matcher,),
                **_times(destination, change.timings),
                mute=change.mute,
            )


def _times(usual: Destination, timings: Timings) -> dict[str, Any]:
    return {
        name: getattr(timings, name) or getattr(usual, name)
        for name in ("wait", "interval", "repeat")
    }


def _split(settings: Settings, row: Row) -> list[Row]:
    """A row that is muted is two: critical alerts are only muted where that includes them."""
    including = tuple(name for name in row.mute if settings.mute_times[name].including_critical)
    if including == row.mute:
        return [row]
    return [
        replace(row, matchers=(*row.matchers, CRITICAL), mute=including),
        replace(row, matchers=(*row.matchers, NOT_CRITICAL)),
    ]


def _route(row: Row) -> dict[str, Any]:
    return {
        "receiver": row.receiver,
        **({"matchers": list(row.matchers)} if row.matchers else {}),
        "continue": not row.last,
        **_timing(row),
        **({"mute_time_intervals": list(row.mute)} if row.mute else {}),
    }


def _timing(row: Row) -> dict[str, str]:
    return {
        "group_wait": row.wait,
        "group_interval": row.interval,
        "repeat_interval": row.repeat,
    }


def _escalation(settings: Settings) -> list[dict[str, Any]]:
    """A group of its own for each critical alert, whose first message waits.

    Alertmanager asks when the wait is over what still fires and is neither silenced nor inhibited,
    and counts the wait from the alert's start, also after a restart (dispatch.go, insert).
    """
    if not settings.escalate_after:
        return []
    return [
        {
            "receiver": settings.escalate_to,
            "matchers": [CRITICAL],
            "group_by": ["..."],
            "continue": True,
            "group_wait": settings.escalate_after,
            "group_interval": "1m",
            "repeat_interval": "12h",
        }
    ]


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
