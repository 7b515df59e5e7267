"""Changes of all resources, input by input."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ops.review.diff import alerts, collection, dashboards, layout, routing
from ops.review.diff.comparison import Comparison, Op, Step
from ops.review.diff.dashboards import field_of
from ops.review.diff.plan import options_changed
from ops.review.diff.report import Field, Item, Kind, Line, Quote, quoted
from ops.review.diff.snapshot import (
    ALERTMANAGER_FILE,
    CONFIG_FILES,
    CONTAINER,
    DASHBOARD,
    DATA_SOURCE,
    DOCKER_PROVIDER,
    FOLDER,
    GRAFANA_PROVIDER,
    IMAGE,
    PREFLIGHT,
    PROMETHEUS_FILE,
    RULES_FOLDER,
    VOLUME,
    Address,
    is_secret,
)
from ops.review.diff.values import ABSENT, Change, changes, shown, without_fingerprints

_KINDS = {
    Op.CREATE: Kind.ADDED,
    Op.DELETE: Kind.REMOVED,
    Op.REPLACE: Kind.CHANGED,
    Op.UPDATE: Kind.CHANGED,
}
_WORDS = {Op.CREATE: "created", Op.DELETE: "deleted", Op.REPLACE: "replaced", Op.UPDATE: "updated"}
_CONTEXT_LINES = 2


def details(comparison: Comparison) -> list[Item]:
    """Return one item per resource, with unified diffs of its files."""
    addresses = sorted({*comparison.steps, *comparison.after.resources})
    return [item for address in addresses if (item := _item(comparison, address))]


def others(comparison: Comparison) -> list[Item]:
    """Return the changes that no other section reports."""
    found = []
    reported = _Reported(comparison)
    for address, step in sorted(comparison.steps.items()):
        old, new = comparison.both(address)
        resource = new or old
        # A component's children are reported instead of the component.
        if resource is None or not resource.custom or reported.whole(address, step):
            continue
        fields: list[Field] = []
        if step.op in (Op.UPDATE, Op.REPLACE):
            all_changes = comparison.input_changes(address)
            rest = [change for change in all_changes if not reported.change(address, change)]
            fields = [Field(c.where, _brief(c.old), _brief(c.new)) for c in rest]
            if all_changes and not fields:
                continue
        line = _line(address, step, only_layout=False)
        found.append(Item(_KINDS[step.op], address.name, line, fields=tuple(fields)))
    return [*found, *_options(comparison)]


def _options(comparison: Comparison) -> Iterator[Item]:
    """Return changes of Pulumi's options, equal ones grouped."""
    alike: dict[tuple[Field, ...], list[Address]] = defaultdict(list)
    for address, new in sorted(comparison.after.resources.items()):
        old = comparison.before.resources.get(address)
        fields = [
            field_of(change, change.where)
            for change in (options_changed(old, new) if old else [])
            # Reported with the interruptions; and the order in which things are made.
            if change.path[0] not in ("protect", "depends_on", "provider")
        ]
        if fields:
            alike[tuple(fields)].append(address)
    for shared, addresses in alike.items():
        names = [address.name for address in addresses]
        kinds = ", ".join(sorted({address.kind for address in addresses}))
        line: Line = (f"Pulumi's options of {kinds} ", *quoted(names))
        yield Item(Kind.CHANGED, ", ".join(names), line, fields=shared)


class _Reported:
    """Changes that other sections report."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.unreadable = alerts.unreadable(comparison)
        self.routes = routing.understood(comparison)
        self.scraping = all(
            collection.understood(one) for one in (comparison.before, comparison.after)
        )
        both = [comparison.both(at) for at, _ in comparison.of_type(IMAGE)]
        self.images = [(a.inputs.get("name"), b.inputs.get("name")) for a, b in both if a and b]
        self.containers = {
            str(one.inputs.get("name"))
            for at, step in comparison.of_type(CONTAINER)
            if step.op in (Op.CREATE, Op.DELETE)
            for one in comparison.both(at)
            if one
        }

    def whole(self, address: Address, step: Step) -> bool:
        """Return whether a resource's step is reported completely."""
        kind = address.type
        if step.op in (Op.UPDATE, Op.REPLACE):
            always = (CONTAINER, DATA_SOURCE, GRAFANA_PROVIDER, PREFLIGHT)
            return kind in always or (kind in (VOLUME, FOLDER) and step.op is Op.REPLACE)
        both = [one for one in self.comparison.both(address) if one]
        if kind == CONFIG_FILES:
            return any(str(one.inputs.get("container")) in self.containers for one in both)
        if kind == DASHBOARD:
            return dashboards.understood(*both)
        if kind in (VOLUME, FOLDER):
            return step.op is Op.DELETE
        return kind in (CONTAINER, DATA_SOURCE, IMAGE, PREFLIGHT)

    def change(self, address: Address, change: Change) -> bool:
        match address.type, change.path:
            case (x, ("host",)) if x == DOCKER_PROVIDER:
                return True
            case (x, ("name",)) if x == IMAGE:
                return True
            case (x, ("configJson",)) if x == DASHBOARD:
                return dashboards.understood(*self.comparison.both(address))
            case (x, ("image",)) if x == CONFIG_FILES:
                return (change.old, change.new) in self.images
            case (x, (("files" | "secret_files") as part, *path)) if x == CONFIG_FILES:
                return layout.is_formatting_only(change) or self._file(
                    part, str(path[0]) if path else "", change
                )
        return False

    def _of_first(self, change: Change) -> bool:
        """Return whether a replica's change adds nothing to the first Prometheus' change, which is
        reported. On another host only the addresses of targets differ.
        """
        sides = self.comparison.before, self.comparison.after
        return _lines(change.old, change.new) <= _lines(*(x.file(PROMETHEUS_FILE) for x in sides))

    def _file(self, part: str, path: str, change: Change) -> bool:
        if path == ALERTMANAGER_FILE:
            return self.routes
        if path == PROMETHEUS_FILE:
            return self.scraping and self._of_first(change)
        if path.startswith(RULES_FOLDER):
            return path not in self.unreadable
        # A secret file's reader reloads or restarts for it.
        return part == "secret_files" and any(map(is_secret, (change.old, change.new)))


def _lines(old: Any, new: Any) -> set[str]:
    """Return the added and removed lines."""
    was, now = (set(one.splitlines()) if isinstance(one, str) else set() for one in (old, new))
    return was ^ now


def _item(comparison: Comparison, address: Address) -> Item | None:
    old, new = comparison.both(address)
    step = comparison.steps.get(address)
    options = options_changed(old, new) if old and new else []
    found = comparison.input_changes(address) if step else []
    if step is None and not options:
        return None
    fields: list[Field] = []
    texts = []
    for change in found:
        parts = list(_parts(change))
        if not parts and (diff := _text_diff(change)):
            texts.append(diff)
        else:
            fields += parts or [Field(change.where, _brief(change.old), _brief(change.new))]
    fields += [field_of(change, f"option {change.where}") for change in options]
    only_layout = (
        step is not None
        and step.op is Op.UPDATE
        and not options
        and not step.drift
        and bool(found)
        and all(layout.is_formatting_only(change) for change in found)
    )
    return Item(
        _KINDS[step.op] if step else Kind.CHANGED,
        address.name,
        _line(address, step, only_layout=only_layout),
        fields=tuple(fields),
        diff="\n".join(texts),
        layout=only_layout,
    )


def _line(address: Address, step: Step | None, *, only_layout: bool) -> Line:
    words = _WORDS[step.op] if step else "options changed"
    layout_words = ": comments, order or formatting alone" if only_layout else ""
    return (f"{address.kind} ", Quote(address.name), f" {words}{layout_words}")


def _parts(change: Change) -> Iterator[Field]:
    """Return the changed parts of a JSON text."""
    old, new = _parsed(change.old), _parsed(change.new)
    if old is not None and new is not None:
        for part in changes(old, new, change.path):
            yield field_of(part, part.where)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("{"):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _brief(value: Any) -> str | None:
    if value is ABSENT:
        return None
    if isinstance(value, str) and value.count("\n") > 1:
        return f"({value.count(chr(10))} lines)"
    if isinstance(value, str) and len(value) > 1000:
        return f"({len(value)} characters)"
    return shown(value)


def _text_diff(change: Change) -> str:
    old, new = change.old, change.new
    if not (isinstance(old, str) and isinstance(new, str) and "\n" in old + new):
        return ""
    lines = difflib.unified_diff(
        without_fingerprints(old).splitlines(),
        without_fingerprints(new).splitlines(),
        f"{change.where} before",
        f"{change.where} after",
        n=_CONTEXT_LINES,
        lineterm="",
    )
    return "\n".join(lines)
