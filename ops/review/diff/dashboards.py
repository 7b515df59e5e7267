"""Changes of dashboards, panel by panel, without positions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ops.review.diff import promql
from ops.review.diff.comparison import Comparison
from ops.review.diff.report import Field, Item, Kind, Line, Quote, count, quoted
from ops.review.diff.rules import matched
from ops.review.diff.snapshot import DASHBOARD, Resource, Snapshot
from ops.review.diff.values import ABSENT, Change, changes, same, shown

_PLACE = "gridPos"
_THRESHOLDS = ("fieldConfig", "defaults", "thresholds", "steps")
_WORDS = {
    "fieldConfig.defaults.unit": "unit",
    "fieldConfig.defaults.noValue": "text without data",
    "fieldConfig.defaults.min": "least of the axis",
    "fieldConfig.defaults.max": "most of the axis",
}


@dataclass(frozen=True)
class Panel:
    """Panel of a dashboard; `row` is the title of the collapsed row that contains it."""

    content: Mapping[str, Any]
    row: str = ""

    @property
    def title(self) -> str:
        return str(self.content.get("title") or f"(no title, {self.content.get('type')})")

    @property
    def shown(self) -> dict[str, Any]:
        """Return the panel without its position, with normalized expressions."""
        found = {key: value for key, value in self.content.items() if key != _PLACE}
        found["targets"] = [
            {**target, "expr": promql.pretty(str(target.get("expr", "")))}
            for target in found.get("targets") or []
            if isinstance(target, Mapping)
        ]
        return found

    @property
    def meaning(self) -> str:
        return json.dumps(self.shown, sort_keys=True, default=str)

    @property
    def meaning_without_title(self) -> str:
        """Return the panel without title, and without the id, which depends on the title."""
        return json.dumps({**self.shown, "title": "", "id": 0}, sort_keys=True, default=str)

    @property
    def place(self) -> Any:
        return self.content.get(_PLACE), self.row

    @property
    def queries(self) -> list[str]:
        targets = self.content.get("targets") or []
        return [str(t["expr"]) for t in targets if isinstance(t, Mapping) and t.get("expr")]


@dataclass(frozen=True)
class Dashboard:
    """Dashboard; `around` is everything except panels: title, time range, variables."""

    title: str
    panels: tuple[Panel, ...]
    around: Mapping[str, Any]


def of_resource(resource: Resource) -> Dashboard | None:
    """Parse a dashboard; None if the text is invalid."""
    text = resource.inputs.get("configJson")
    return _read(text) if isinstance(text, str) else None


def all_of(snapshot: Snapshot) -> list[Dashboard]:
    found = (of_resource(resource) for resource in snapshot.of_type(DASHBOARD))
    return sorted((one for one in found if one), key=lambda one: one.title)


def items(comparison: Comparison) -> list[Item]:
    """Return added, removed and changed panels; a change shared by dashboards is reported once."""
    found: list[Item] = []
    around: dict[str, list[tuple[str, Change]]] = defaultdict(list)
    for address, _ in comparison.of_type(DASHBOARD):
        old_resource, new_resource = comparison.both(address)
        old = of_resource(old_resource) if old_resource else None
        new = of_resource(new_resource) if new_resource else None
        if old and new:
            found += _panel_items(old, new)
            for change in _around_changes(old, new):
                around[repr((change.where, change.old, change.new))].append((new.title, change))
        elif new and not old_resource:
            found.append(_whole(Kind.ADDED, new))
        elif old and not new_resource:
            found.append(_whole(Kind.REMOVED, old))
    return found + [_around_item(shared) for shared in around.values()]


def understood(*versions: Resource | None) -> bool:
    """Return whether all versions can be parsed, so that `items` is complete."""
    return all(one is None or of_resource(one) is not None for one in versions)


@lru_cache(maxsize=64)
def _read(text: str) -> Dashboard | None:
    try:
        content = json.loads(text)
        panels = tuple(_panels(content.get("panels") or []))
    except (ValueError, AttributeError, TypeError):
        return None
    # Grafana's own count and number of a dashboard, which say nothing.
    ignored = ("panels", "id", "version")
    around = {key: value for key, value in content.items() if key not in ignored}
    return Dashboard(str(content.get("title", "")), panels, around)


def _panels(found: list[Any]) -> Iterator[Panel]:
    for content in found:
        yield Panel({key: value for key, value in content.items() if key != "panels"})
        for folded in content.get("panels") or []:
            yield Panel(folded, str(content.get("title", "")))


def _whole(kind: Kind, found: Dashboard) -> Item:
    panels = count(len(found.panels), "panel")
    return Item(kind, found.title, ("dashboard ", Quote(found.title), f" {kind}, with {panels}"))


def _panel_items(old: Dashboard, new: Dashboard) -> Iterator[Item]:
    moved = 0
    likenesses = (
        lambda panel: (panel.title, panel.meaning),
        lambda panel: (panel.title, panel.content.get("type"), panel.content.get("id")),
        lambda panel: (panel.title, panel.content.get("type")),
        lambda panel: panel.title,
        lambda panel: panel.meaning_without_title,
    )
    for was, now in matched(old.panels, new.panels, likenesses):
        if was and now:
            fields = list(_fields(was, now))
            moved += was.place != now.place
            if fields:
                yield _item(Kind.CHANGED, new.title, now.title, tuple(fields))
        elif now:
            yield _item(Kind.ADDED, new.title, now.title, tuple(_queries(now, Kind.ADDED)))
        elif was:
            yield _item(Kind.REMOVED, new.title, was.title, tuple(_queries(was, Kind.REMOVED)))
    if moved:
        line: Line = (f"{count(moved, 'panel')} of ", Quote(new.title), " only at another place")
        yield Item(Kind.CHANGED, new.title, line)


def _item(kind: Kind, dashboard: str, title: str, fields: tuple[Field, ...]) -> Item:
    line: Line = ("panel ", Quote(title), " of ", Quote(dashboard), f" {kind}")
    return Item(kind, f"{dashboard}: {title}", line, fields=fields)


def _queries(panel: Panel, kind: Kind) -> Iterator[Field]:
    for query in panel.queries:
        yield Field.of(kind, "query", promql.pretty(query))


def _fields(old: Panel, new: Panel) -> Iterator[Field]:
    known = set()
    if _steps(old) != _steps(new):
        known.add(_THRESHOLDS)
        yield Field("thresholds", _steps_text(old), _steps_text(new))
    for change in changes(old.shown, new.shown):
        if tuple(change.path[: len(_THRESHOLDS)]) not in known:
            yield field_of(change, _name(change))


def field_of(change: Change, name: str) -> Field:
    return Field(
        name,
        None if change.old is ABSENT else shown(change.old),
        None if change.new is ABSENT else shown(change.new),
    )


def _name(change: Change) -> str:
    path = change.path
    if path[0] == "targets" and len(path) == 3 and path[2] in ("expr", "legendFormat"):
        return f"{'query' if path[2] == 'expr' else 'legend of query'} {int(path[1]) + 1}"
    return _WORDS.get(".".join(map(str, path)), change.where)


def _steps(panel: Panel) -> Any:
    found: Any = panel.content
    for key in _THRESHOLDS:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _steps_text(panel: Panel) -> str | None:
    steps = _steps(panel)
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        return None if steps is None else shown(steps)
    return ", ".join(map(_step_text, steps))


def _step_text(step: Mapping[str, Any]) -> str:
    at = step.get("value")
    return str(step.get("color")) if at is None else f"{step.get('color')} from {at}"


def _around_changes(old: Dashboard, new: Dashboard) -> list[Change]:
    return [] if same(old.around, new.around) else changes(old.around, new.around)


def _around_item(shared: list[tuple[str, Change]]) -> Item:
    titles = sorted(title for title, _ in shared)
    change = shared[0][1]
    head = "dashboard " if len(titles) == 1 else f"{len(titles)} dashboards changed alike: "
    tail = " changed" if len(titles) == 1 else ""
    field = field_of(change, change.where)
    line: Line = (head, *quoted(titles), tail)
    return Item(Kind.CHANGED, ", ".join(titles), line, fields=(field,))
