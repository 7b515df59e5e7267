"""Changes of alerts and recording rules, and which alerts became weaker."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ops.review.diff import dashboards, promql, rules, watched_metrics
from ops.review.diff.comparison import Comparison
from ops.review.diff.dashboards import field_of
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote, quoted
from ops.review.diff.rules import Rule, VersionRules
from ops.review.diff.snapshot import RULES_FOLDER, Snapshot
from ops.review.diff.values import changes

_CONSTANT = re.compile(r"vector\((\d+(?:\.\d+)?)\)")
_SEVERITIES = {"critical": 3, "warning": 2, "info": 1, "none": 0}


def read(snapshot: Snapshot) -> VersionRules:
    return rules.read(snapshot.texts(RULES_FOLDER))


def items(comparison: Comparison) -> list[Item]:
    before, after = read(comparison.before), read(comparison.after)
    both = rules.pairs(before.alerts, after.alerts)
    found = [_alert_item(comparison, *pair, after) for pair in both]
    found.sort(key=lambda item: item is None or item.mark is not Mark.WEAKER)
    both = rules.pairs(before.records, after.records)
    records = [_record_item(comparison, *pair, after) for pair in both]
    return [
        *(item for item in found if item),
        *(item for item in records if item),
        *_group_items(before, after),
    ]


def unreadable(comparison: Comparison) -> set[str]:
    """Return the rule files that cannot be parsed."""
    return {*read(comparison.before).unreadable, *read(comparison.after).unreadable}


def _alert_item(
    comparison: Comparison, old: Rule | None, new: Rule | None, after: VersionRules
) -> Item | None:
    if old and new:
        fields, weaker = _compared(old, new)
        if not fields:
            return None
        weaker += _narrowed(comparison, new.name)
        line: Line = ("alert ", Quote(new.name), " changed")
        why = [(word,) for word in weaker] + watched_metrics.unwatched(old, new, after)
        mark = Mark.WEAKER if why else Mark.NONE
        return Item(Kind.CHANGED, new.name, line, mark, (*why, *_held(old, new)), fields)
    if new:
        line = ("alert ", Quote(new.name), " added")
        return Item(Kind.ADDED, new.name, line, fields=tuple(_summary(new, Kind.ADDED)))
    assert old is not None
    gone = _disabled(comparison.after, old.name) or ("it is removed",)
    line = ("alert ", Quote(old.name), " removed")
    fields = tuple(_summary(old, Kind.REMOVED))
    return Item(Kind.REMOVED, old.name, line, Mark.WEAKER, (gone,), fields)


def _held(old: Rule, new: Rule) -> Iterator[Line]:
    """Yield what a change of `keep_firing_for` means; it makes no alert weaker."""
    was, now = (rules.seconds(rule.hold) or 0 for rule in (old, new))
    when = "after its condition is over, so one that comes and goes"
    if now > was:
        yield (f"it fires longer {when} is one page",)
    elif now < was:
        yield (f"it ends sooner {when} pages again",)


def _disabled(after: Snapshot, name: str) -> Line | None:
    """Return the configured reason why an alert is disabled."""
    own = _override(after, name)
    if own.get("enabled") is not False:
        return None
    reason = str(own.get("reason") or "")
    return ("it is disabled: ", Quote(reason)) if reason else ("it is disabled, no reason given",)


def _override(snapshot: Snapshot, name: str) -> Mapping[str, Any]:
    """Return a stack's own values for an alert."""
    setting = (snapshot.settings or {}).get("alerts")
    overrides = setting.value if setting else None
    own = overrides.get(name) if isinstance(overrides, Mapping) else None
    return own if isinstance(own, Mapping) else {}


def _narrowed(comparison: Comparison, name: str) -> Iterator[str]:
    """Yield how an alert is narrowed by settings of the stack."""
    old, new = (_override(one, name) for one in (comparison.before, comparison.after))
    if float(new.get("minimumRate") or 0) > float(old.get("minimumRate") or 0):
        yield "it needs more traffic"
    if _excluded(new) - _excluded(old):
        yield "it leaves more out"


def _excluded(override: Mapping[str, Any]) -> set[tuple[str, str]]:
    exclude = override.get("exclude") or {}
    return {(label, str(value)) for label, values in exclude.items() for value in values}


def _summary(rule: Rule, kind: Kind) -> Iterator[Field]:
    parts = {
        "expression": promql.pretty(rule.expr),
        "for": rule.delay,
        **({"keep firing for": rule.hold} if rules.seconds(rule.hold) else {}),
        **{key: value for key, value in rule.labels.items() if key in ("severity", "service")},
        "place": rule.place,
    }
    for name, text in parts.items():
        yield Field.of(kind, name, text)


def _compared(old: Rule, new: Rule) -> tuple[tuple[Field, ...], list[str]]:
    """Return the changed fields and why the alert is weaker."""
    weaker: list[str] = []
    fields: list[Field] = list(_expression(old, new, weaker))
    fields += _duration("for", old.delay, new.delay)
    if (rules.seconds(new.delay) or 0) > (rules.seconds(old.delay) or 0):
        weaker.append("it waits longer")
    fields += _duration("keep firing for", old.hold, new.hold)
    fields += _parts("label", old.labels, new.labels)
    if _rank(new.severity) < _rank(old.severity):
        weaker.append("its severity is lower")
    fields += _parts("annotation", old.annotations, new.annotations)
    fields += [field_of(change, change.where) for change in changes(old.others, new.others)]
    if (old.file, old.group) != (new.file, new.group):
        fields.append(Field("place", old.place, new.place))
    return tuple(fields), weaker


def _duration(name: str, old: str, new: str) -> Iterator[Field]:
    was, now = rules.seconds(old), rules.seconds(new)
    if was != now or (was is None and old != new):
        yield Field(name, old, new)


def _expression(old: Rule, new: Rule, weaker: list[str]) -> Iterator[Field]:
    if promql.same(old.expr, new.expr):
        return
    if (metrics := watched_metrics.fields(old, new)) is not None:
        yield from metrics
        return
    found = promql.thresholds(old.expr, new.expr)
    if found is None:
        yield Field("expression", promql.pretty(old.expr), promql.pretty(new.expr))
        return
    for threshold in found:
        yield Field("threshold", threshold.old, threshold.new)
    if any(threshold.weaker for threshold in found):
        weaker.append("its threshold is harder to reach")


def _parts(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Field]:
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            name = key if key in ("severity", "service") and what == "label" else f"{what} {key}"
            yield Field(name, old.get(key), new.get(key))


def _rank(severity: str) -> float:
    """Rank a severity: an unknown one is the highest, none the lowest."""
    return _SEVERITIES.get(severity, 3 if severity else -1)


def _record_item(
    comparison: Comparison, old: Rule | None, new: Rule | None, after: VersionRules
) -> Item | None:
    rule = new or old
    assert rule is not None
    fields = _compared(old, new)[0] if old and new else []
    if old and new and not fields:
        return None
    kind = Kind.of(old, new)
    alerts, panels = _readers(rule.name, after, comparison.after)
    line: Line = ("recording rule ", Quote(rule.name), f" {kind}, ", *_read_by(alerts, panels))
    if old and new:
        rarer = [
            *_rarer(old, new),
            *(
                ("alert ", Quote(alert), f": {why}")
                for alert in alerts
                for why in _narrowed(comparison, alert)
            ),
        ]
        reasons = [*rarer[:1], *watched_metrics.unwatched(old, new, after)]
        return Item.judged(kind, rule.name, line, reasons, fields)
    field = Field.of(kind, "expression", promql.pretty(rule.expr))
    recorded = any(other.name == rule.name for other in after.records)
    gone = old and not recorded and (alerts or panels)
    why: list[Line] = [("they read a series that nothing records any more",)] if gone else []
    return Item.judged(kind, rule.name, line, why, [field])


def _rarer(old: Rule, new: Rule) -> Iterator[Line]:
    """Yield why alerts fire less often after a change of a constant in rules/slo.yml."""
    values = [_CONSTANT.fullmatch(rule.expr.strip()) for rule in (old, new)]
    if None in values:
        return
    was, now = (float(found[1]) for found in values if found)
    match new.name:
        case "slo:objective:ratio" if now < was:
            yield ("more requests may fail before a budget alert fires",)
        case "slo:traffic_floor:rate" if now > was:
            yield ("more traffic is needed for a budget alert to fire",)


def _readers(series: str, found: VersionRules, snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return the alerts and panels that read a series, directly or through recording rules."""
    reached, left = {series}, {series}
    while left:
        left = {rule.name for rule in found.records if promql.metrics(rule.expr) & left} - reached
        reached |= left
    alerts = {rule.name for rule in found.alerts if promql.metrics(rule.expr) & reached}
    panels = {
        f"{board.title}: {panel.title}"
        for board in dashboards.all_of(snapshot)
        for panel in board.panels
        if any(promql.metrics(query) & reached for query in panel.queries)
    }
    return sorted(alerts), sorted(panels)


def _read_by(alerts: list[str], panels: list[str]) -> Line:
    parts: list[Line] = [
        (f"{what}{'s' * (len(names) > 1)} ", *quoted(names, most))
        for what, names, most in (("alert", alerts, 12), ("panel", panels, 6))
        if names
    ]
    if not parts:
        return ("read by no alert and no panel",)
    return ("read by ", *parts[0], *(part for more in parts[1:] for part in (" and ", *more)))


def _group_items(before: VersionRules, after: VersionRules) -> Iterator[Item]:
    for at in sorted({*before.groups, *after.groups}):
        file, name = at
        old, new = before.groups.get(at), after.groups.get(at)
        alerts = [r for r in (*before.rules, *after.rules) if (r.file, r.group) == at]
        if old is not None and new is not None:
            kind, fields = Kind.CHANGED, [field_of(one, one.where) for one in changes(old, new)]
        else:
            # The rules of an added or removed group are reported one by one.
            kind, fields = (Kind.ADDED if old is None else Kind.REMOVED), []
        if fields or (kind is not Kind.CHANGED and not alerts):
            line: Line = ("group ", Quote(name), " of ", Quote(file), f" {kind}")
            names = sorted({rule.name for rule in alerts if rule.is_alert})
            why: tuple[Line, ...] = (("with the alerts ", *quoted(names)),) if names else ()
            yield Item(kind, name, line, why=why, fields=tuple(fields))
