"""Times at which messages are not sent, by Alertmanager's own `time_intervals`.

Schema: https://prometheus.io/docs/alerting/latest/configuration/#time_interval-0.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from components.common.model import Frozen
from components.common.problems import Problem

_RESTRICTING = ("times", "weekdays", "days_of_month", "months", "years")
_ALL_DAY = {"start_time": "00:00", "end_time": "24:00"}


def _timezone(text: str) -> str:
    if text in ("UTC", "Local"):
        return "UTC"
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone, such as Europe/Istanbul or UTC") from None
    return text


Timezone = Annotated[str, AfterValidator(_timezone)]


class MuteTime(Frozen):
    """`intervals` are Alertmanager's, each in the stack's time zone unless it has a `location`.

    Critical alerts are sent all the same, unless `including_critical` is set, with a reason.
    """

    intervals: tuple[dict[str, Any], ...] = Field(min_length=1)
    including_critical: StrictBool = False
    reason: str = ""


def problems(mute_times: Mapping[str, MuteTime]) -> Iterator[Problem]:
    """Find faults that amtool accepts: a mute without end, critical alerts muted without reason."""
    for name, mute in mute_times.items():
        for index, interval in enumerate(mute.intervals):
            path = (name, "intervals", str(index))
            if _is_always(interval):
                yield Problem(path, "covers all time, and nothing would ever be sent")
            if "location" in interval:
                try:
                    _timezone(str(interval["location"]))
                except ValueError as error:
                    yield Problem((*path, "location"), str(error))
        if mute.including_critical and not mute.reason.strip():
            problem = "is missing: critical alerts are muted only with a reason"
            yield Problem((name, "reason"), problem)


def _is_always(interval: Mapping[str, Any]) -> bool:
    times = interval.get("times") or []
    restricting = [name for name in _RESTRICTING if interval.get(name)]
    return not restricting or (restricting == ["times"] and _ALL_DAY in times)
