"""Times at which messages are not sent, by Alertmanager's own `time_intervals`.

Schema: https://prometheus.io/docs/alerting/latest/configuration/#time_interval-0.
"""

from __future__ import annotations

import calendar
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from components.common.model import Frozen
from components.common.problems import Problem

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = tuple(name.lower() for name in calendar.month_name[1:])
_ALWAYS = "covers all time, and nothing would ever be sent: name the times of the day or the days"


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
        always = [index for index, one in enumerate(mute.intervals) if _covers_all([one])]
        for index in always:
            yield Problem((name, "intervals", str(index)), _ALWAYS)
        if not always and _covers_all(mute.intervals):
            yield Problem((name, "intervals"), _ALWAYS)
        for index, interval in enumerate(mute.intervals):
            if "location" in interval:
                try:
                    _timezone(str(interval["location"]))
                except ValueError as error:
                    path = (name, "intervals", str(index), "location")
                    yield Problem(path, str(error))
        if mute.including_critical and not mute.reason.strip():
            problem = "is missing: critical alerts are muted only with a reason"
            yield Problem((name, "reason"), problem)


def _covers_all(intervals: Sequence[Mapping[str, Any]]) -> bool:
    """Whether those of all days, in one time zone, have all minutes of the day between them."""
    if len({interval.get("location") for interval in intervals}) > 1:
        return False
    minutes: set[int] = set()
    for interval in filter(_is_of_every_day, intervals):
        times = interval.get("times") or [{"start_time": "00:00", "end_time": "24:00"}]
        for one in times:
            minutes.update(range(_minute(one, "start_time"), _minute(one, "end_time")))
    return len(minutes) == 24 * 60


def _is_of_every_day(interval: Mapping[str, Any]) -> bool:
    return not interval.get("years") and all(
        not interval.get(key) or _numbers(interval[key], names, last) >= set(range(first, last + 1))
        for key, names, first, last in (
            ("weekdays", _WEEKDAYS, 0, 6),
            ("days_of_month", (), 1, 31),
            ("months", ("", *_MONTHS), 1, 12),
        )
    )


def _numbers(ranges: Any, names: Sequence[str], last: int) -> set[int]:
    """The numbers of ranges such as `monday:friday`, `1:-1` or `3`; amtool judges the others."""
    found: set[int] = set()
    for text in ranges if isinstance(ranges, list) else ():
        ends = [
            names.index(part) if part in names else int(part)
            for part in str(text).lower().split(":")
            if part in names or re.fullmatch(r"-?\d{1,2}", part)
        ]
        # Days of a month are also counted from its end.
        ends = [last + 1 + end if end < 0 else end for end in ends]
        found.update(range(ends[0], ends[-1] + 1) if ends else ())
    return found


def _minute(times: Any, key: str) -> int:
    found = re.fullmatch(r"(\d\d):(\d\d)", str(times.get(key, "")))
    return int(found[1]) * 60 + int(found[2]) if found else 0
