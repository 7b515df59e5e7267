"""Changes of notification routing and inhibition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from ops.review.diff import routes, routing_parts, rules
from ops.review.diff.comparison import Comparison
from ops.review.diff.dashboards import field_of
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote, count, quoted
from ops.review.diff.routes import Delivery, InhibitedBy
from ops.review.diff.snapshot import ALERTMANAGER_FILE, PROMETHEUS_FILE, RULES_FOLDER, Snapshot
from ops.review.diff.values import Change, changes, load_yaml

NOBODY = "nobody"
# How people name a channel, and the key of a receiver's entry that says which.
_CHANNELS = {
    "slack_configs": ("Slack", "channel"),
    "email_configs": ("mail to", "to"),
    "webhook_configs": ("a webhook", ""),
    "pagerduty_configs": ("PagerDuty", ""),
    "opsgenie_configs": ("Opsgenie", ""),
    "telegram_configs": ("Telegram", "chat_id"),
    "msteams_configs": ("Teams", ""),
}


@dataclass(frozen=True)
class Routing:
    """Routing of one version; `labels` has the known labels of each alert by name."""

    content: Mapping[str, Any]
    labels: Mapping[str, list[dict[str, str]]]

    @cached_property
    def inhibited(self) -> set[InhibitedBy]:
        """Which alerts may be inhibited by which."""
        return routes.holds(list(self.content.get("inhibit_rules") or ()), self.labels)

    @cached_property
    def deliveries(self) -> Mapping[str, list[Delivery]]:
        """The deliveries of each alert, by its name."""
        route = self.content.get("route") or {}
        return {
            name: [one for known in kinds for one in routes.deliveries(route, known)]
            for name, kinds in self.labels.items()
        }

    def channels(self, name: str) -> frozenset[str]:
        """Return the channels of an alert; `perhaps` if an unknown label decides."""
        found = set()
        for delivery in self.deliveries[name]:
            for channel in self.channels_of(delivery.receiver):
                found.add(channel if delivery.certain else f"perhaps {channel}")
        return frozenset(found - {f"perhaps {channel}" for channel in found}) or frozenset([NOBODY])

    def channels_of(self, receiver: str) -> list[str]:
        for found in self.content.get("receivers") or ():
            if found.get("name") == receiver:
                return [
                    _channel(kind, entry)
                    for kind, entries in found.items()
                    if kind.endswith("_configs")
                    for entry in entries or ()
                ]
        return []


def _channel(kind: str, entry: Mapping[str, Any]) -> str:
    words, key = _CHANNELS.get(kind, (kind.removesuffix("_configs"), ""))
    return f"{words} {entry.get(key, '')}".strip() if key else words


def read(snapshot: Snapshot) -> Routing | None:
    """Parse the file; None if it is missing, secret or invalid."""
    files = (snapshot.file(ALERTMANAGER_FILE), snapshot.file(PROMETHEUS_FILE))
    return _read(*files, tuple(snapshot.texts(RULES_FOLDER).items()))


# Several sections read both versions, and every alert is matched against every route.
@lru_cache(maxsize=4)
def _read(
    alertmanager: str | None, prometheus: str | None, rule_files: tuple[tuple[str, str], ...]
) -> Routing | None:
    content = load_yaml(alertmanager)
    if not isinstance(content, Mapping):
        return None
    external = ((load_yaml(prometheus) or {}).get("global") or {}).get("external_labels") or {}
    labels: dict[str, list[dict[str, str]]] = defaultdict(list)
    for rule in rules.read(dict(rule_files)).alerts:
        labels[rule.name].append(routes.known_labels(rule.name, rule.labels, external))
    return Routing(content, labels)


def items(comparison: Comparison) -> list[Item]:
    before, after = read(comparison.before), read(comparison.after)
    if before is None or after is None:
        return []
    return [
        *_channel_items(before, after),
        *_timing_items(before, after),
        *_hold_items(before, after),
        *routing_parts.items(before.content, after.content),
        *_rest(before.content, after.content),
    ]


def understood(comparison: Comparison) -> bool:
    """Return whether both versions can be parsed, so that `items` is complete."""
    return read(comparison.before) is not None and read(comparison.after) is not None


def _common(before: Routing, after: Routing) -> list[str]:
    return sorted(set(before.labels) & set(after.labels))


def _channel_items(before: Routing, after: Routing) -> Iterator[Item]:
    """Return alerts with other channels, grouped, then the channels of new alerts."""
    moved: dict[tuple[frozenset[str], frozenset[str]], list[str]] = defaultdict(list)
    for name in _common(before, after):
        old, new = before.channels(name), after.channels(name)
        if old != new:
            moved[old, new].append(name)
    for (old, new), names in moved.items():
        lost = sorted(old - new - {NOBODY})
        yield Item.judged(
            Kind.CHANGED,
            ", ".join(names),
            (_of(names), *quoted(names), " now notifies other channels"),
            [("no longer: ", *quoted(lost))] if lost else [],
            [Field("notifies", ", ".join(sorted(old)), ", ".join(sorted(new)))],
        )
    for name in sorted(set(after.labels) - set(before.labels)):
        heard = after.channels(name)
        yield Item(
            Kind.ADDED,
            name,
            ("new alert ", Quote(name), " notifies ", *quoted(sorted(heard))),
            Mark.CAUTION if heard == {NOBODY} else Mark.NONE,
        )


def _of(names: list[str]) -> str:
    return "alert " if len(names) == 1 else f"{count(len(names), 'alert')}: "


def _timing_items(before: Routing, after: Routing) -> Iterator[Item]:
    """Return changes of group timing and mute intervals by receiver."""
    moved: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for name in _common(before, after):
        old = {one.receiver: one for one in before.deliveries[name]}
        new = {one.receiver: one for one in after.deliveries[name]}
        for receiver in sorted(set(old) & set(new)):
            for key in new[receiver].timing:
                was, now = old[receiver].timing[key], new[receiver].timing[key]
                if was != now:
                    moved[receiver, key, _text(was), _text(now)].append(name)
            was, now = old[receiver].muted, new[receiver].muted
            if was != now:
                moved[receiver, "silent", _text(was), _text(now)].append(name)
    for (receiver, key, was, now), names in moved.items():
        line: Line = ("receiver ", Quote(receiver), f" for {_of(names)}", *quoted(names))
        why: list[Line] = [("no notification at these times",)] if key == "silent" and now else []
        yield Item.judged(Kind.CHANGED, receiver, line, why, [Field(key, was, now)])


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def _hold_items(before: Routing, after: Routing) -> Iterator[Item]:
    common = set(_common(before, after))
    old, new = before.inhibited, after.inhibited
    for found, kind in ((new - old, Kind.ADDED), (old - new, Kind.REMOVED)):
        sources: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for target, by in _by_target(found, common).items():
            sources[tuple(by)].append(target)
        for held_by, targets in sorted(sources.items()):
            verb = "may now be inhibited" if kind is Kind.ADDED else "no longer inhibited"
            line: Line = (_of(targets), *quoted(targets), f" {verb} while one of these fires: ")
            why: list[Line] = [("an inhibition newly covers it",)] if kind is Kind.ADDED else []
            yield Item.judged(kind, ", ".join(targets), (*line, *quoted(held_by)), why)


def _by_target(found: set[InhibitedBy], common: set[str]) -> dict[str, list[str]]:
    """Ignore inhibitions of added and removed alerts, which are reported with them."""
    by_target: dict[str, list[str]] = defaultdict(list)
    for hold in sorted(found, key=lambda hold: (hold.target, hold.source)):
        if hold.target in common:
            by_target[hold.target].append(hold.source)
    return by_target


def _rest(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Item]:
    """Return all other changes by path."""
    parts: dict[tuple[str, Line], list[Field]] = defaultdict(list)
    old, new = map(routing_parts.without_parts, (before, after))
    for change in changes(old, new):
        parts[_part(change)].append(field_of(change, change.where))
    for (name, line), fields in parts.items():
        yield Item(Kind.CHANGED, name, line, fields=tuple(fields))


def _part(change: Change) -> tuple[str, Line]:
    match change.path:
        case ("route", *_):
            return "routes", ("the tree of routes changed",)
        case ("inhibit_rules", *_):
            return "inhibitions", ("the inhibitions changed",)
    return change.where, (Quote(change.where), " changed")
