"""Changes of the parts of `alertmanager.yml`: receivers, routes, mute times and escalation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.common.quantities import duration_seconds
from ops.review.diff.dashboards import field_of
from ops.review.diff.report import Field, Item, Kind, Line, Quote
from ops.review.diff.values import changes, shown

Content = Mapping[str, Any]
Parts = dict[str, Any]
# A route is two where critical alerts are not muted with the others.
_OF_A_SPLIT = ('severity="critical"', 'severity!="critical"')
_MUTED = "silent"
_ALONE = ["..."]


@dataclass(frozen=True)
class Part:
    """A kind of part: how it is read and named, and when a change of it is weaker, with why."""

    read: Callable[[Content], Parts]
    name: Callable[[str], Line]
    weaker: Callable[[Any, Any], str]


def items(before: Content, after: Content) -> Iterator[Item]:
    """Yield what was added, removed or changed, by part."""
    for part in _PARTS:
        old, new = part.read(before), part.read(after)
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield _item(part, name, old.get(name), new.get(name))


def without_parts(content: Content) -> dict[str, Any]:
    """Return the rest of the file."""
    route = {key: value for key, value in (content.get("route") or {}).items() if key != "routes"}
    left = {key: content[key] for key in content if key not in ("receivers", "time_intervals")}
    return {**left, "route": route}


def _item(part: Part, name: str, old: Any, new: Any) -> Item:
    kind, why = Kind.of(old, new), part.weaker(old, new)
    if kind is Kind.CHANGED:
        fields = [field_of(change, change.where or name) for change in changes(old, new)]
    else:
        fields = [Field.of(kind, "is", shown(new if old is None else old))]
    return Item.judged(kind, name, (*part.name(name), f" {kind}"), [(why,)] if why else [], fields)


def _receivers(content: Content) -> Parts:
    found = content.get("receivers") or ()
    return {
        str(one.get("name")): {key: value for key, value in one.items() if key != "name"}
        for one in found
    }


def _receiver_is_weaker(old: Parts | None, new: Parts | None) -> str:
    gone = sorted(
        kind.removesuffix("_configs")
        for kind, entries in (old or {}).items()
        if len(entries or ()) > len((new or {}).get(kind) or ())
    )
    return f"it no longer sends by {', '.join(gone)}" if gone else ""


def _children(content: Content) -> list[Any]:
    return list((content.get("route") or {}).get("routes") or ())


def _is_escalation(route: Content) -> bool:
    return route.get("group_by") == _ALONE


def _routes(content: Content) -> Parts:
    found: Parts = {}
    for route in _children(content):
        if _is_escalation(route):
            continue
        matchers = [str(one) for one in route.get("matchers") or ()]
        if len(matchers) > 1 and matchers[-1] in _OF_A_SPLIT:
            matchers.pop()
        name = f"{route.get('receiver')} for {', '.join(matchers) or 'all alerts'}"
        left = ("receiver", "matchers", "mute_time_intervals")
        known = found.setdefault(
            name, {key: value for key, value in route.items() if key not in left}
        )
        if muted := route.get("mute_time_intervals"):
            known[_MUTED] = sorted({*known.get(_MUTED, ()), *muted})
    return found


def _route_is_weaker(old: Parts | None, new: Parts | None) -> str:
    if new is None:
        return "alerts with these labels no longer take it"
    if set(new.get(_MUTED, ())) - set((old or {}).get(_MUTED, ())):
        return "no notification at these times"
    if not new.get("continue") and (old is None or old.get("continue")):
        return "alerts with these labels go to no route after it"
    return ""


def _mute_times(content: Content) -> Parts:
    found = content.get("time_intervals") or ()
    muting = {
        name for route in _children(content) for name in route.get("mute_time_intervals") or ()
    }
    return {
        str(one.get("name")): {
            "intervals": one.get("time_intervals"),
            "is used": str(one.get("name")) in muting,
        }
        for one in found
    }


def _mute_time_is_weaker(old: Parts | None, new: Parts | None) -> str:
    if new is None or not new["is used"]:
        return ""
    return "nothing is sent at its times on the routes that name it"


def _escalation(content: Content) -> Parts:
    return {
        str(route.get("receiver")): {"after": route.get("group_wait")}
        for route in _children(content)
        if _is_escalation(route)
    }


def _escalation_is_weaker(old: Parts | None, new: Parts | None) -> str:
    if new is None:
        return "critical alerts that go on are no longer escalated to it"
    if old is not None and _seconds(new["after"]) > _seconds(old["after"]):
        return "critical alerts are escalated later"
    return ""


def _seconds(duration: Any) -> float:
    try:
        return duration_seconds(str(duration))
    except ValueError:
        return 0


_PARTS = (
    Part(_receivers, lambda name: ("receiver ", Quote(name)), _receiver_is_weaker),
    Part(_routes, lambda name: ("route to ", Quote(name)), _route_is_weaker),
    Part(_mute_times, lambda name: ("mute time ", Quote(name)), _mute_time_is_weaker),
    Part(_escalation, lambda name: ("escalation to ", Quote(name)), _escalation_is_weaker),
)
