"""Composition of the sections and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ops.review.diff import (
    alerts,
    collection,
    dashboards,
    images,
    interruptions,
    resources,
    routing,
    settings,
)
from ops.review.diff.comparison import Comparison, Op
from ops.review.diff.report import (
    Check,
    Item,
    Kind,
    Line,
    Mark,
    Quote,
    Report,
    Section,
    Status,
    count,
    quoted,
)
from ops.review.diff.snapshot import CONTAINER, IMAGE, Snapshot, service_of


def _drift(comparison: Comparison) -> list[Item]:
    """Return the manual changes of running resources, which only an engine's preview knows."""
    found = []
    for address, step in sorted(comparison.steps.items()):
        if step.drift:
            made = step.op is Op.CREATE
            words: Line = (" was removed; it is recreated",)
            line = words if made else (" was changed: ", *quoted(step.drift))
            what = (f"{address.kind} ", Quote(address.name), *line)
            found.append(Item(Kind.ADDED if made else Kind.CHANGED, address.name, what))
    return found


_SECTIONS: dict[Section, Callable[[Comparison], list[Item]]] = {
    Section.INTERRUPTIONS: interruptions.items,
    Section.DRIFT: _drift,
    Section.ALERTS: alerts.items,
    Section.ROUTES: routing.items,
    Section.DASHBOARDS: dashboards.items,
    Section.COLLECTION: collection.items,
    Section.IMAGES: images.items,
    Section.SETTINGS: settings.items,
    Section.OTHER: resources.others,
    Section.DETAILS: resources.details,
}


def report(comparison: Comparison, checks: tuple[Check, ...] = ()) -> Report:
    """Return the report on a stack. If one version is broken, the other is listed."""
    notes = tuple((note,) for note in comparison.notes)
    faults = comparison.broken
    if faults:
        which = [part for one in faults for part in (Quote(one.which), f" {one.how}", ", ")]
        verdict: Line = ("cannot be compared: ", *which[:-1])
        shown = tuple(_inventory(comparison))
        return Report(
            comparison.stack, comparison.origin, verdict, {}, checks, faults, shown, notes
        )
    sections = {section: tuple(items(comparison)) for section, items in _SECTIONS.items()}
    return Report(
        comparison.stack,
        comparison.origin,
        tuple(_verdict(sections, checks)),
        sections,
        checks,
        notes=notes,
    )


def _verdict(
    sections: dict[Section, tuple[Item, ...]], checks: tuple[Check, ...]
) -> Iterator[str | Quote]:
    failed = [check.name for check in checks if check.status is Status.FAILED]
    if failed:
        yield from ("checks failed: ", *quoted(failed), "; ")
    layout = [item.subject for items in sections.values() for item in items if item.layout]
    if all(item.layout for items in sections.values() for item in items):
        yield "nothing changes"
        if layout:
            yield " by meaning: comments, order or formatting of "
            yield from quoted(item.subject for item in sections[Section.DETAILS])
        return
    parts = list(_counts(sections))
    if not any(_is_interruption(item) for item in sections[Section.INTERRUPTIONS]):
        parts.insert(0, ("configuration only, nothing restarts",))
    for index, part in enumerate(parts):
        yield from ("; ", *part) if index else part


def _is_interruption(item: Item) -> bool:
    return item.mark in (Mark.DANGER, Mark.INTERRUPTS)


def _counts(sections: dict[Section, tuple[Item, ...]]) -> Iterator[Line]:
    stops = sections[Section.INTERRUPTIONS]
    if danger := [item for item in stops if item.mark is Mark.DANGER]:
        yield (f"{count(len(danger), 'danger')}: ", *quoted(item.subject for item in danger))
    if gone := [item for item in stops if item.mark is Mark.INTERRUPTS]:
        yield (f"{count(len(gone), 'interruption')}: ", *quoted(item.subject for item in gone))
    # Those with the same way together are one item, and one alert may be in several.
    if weaker := {
        name
        for items in sections.values()
        for item in items
        if item.mark is Mark.WEAKER
        for name in item.subject.split(", ")
    }:
        yield (f"{len(weaker)} made weaker",)
    for section, what in (
        (Section.ALERTS, "alerts and rules"),
        (Section.ROUTES, "notification routing"),
        (Section.DASHBOARDS, "dashboards and panels"),
        (Section.COLLECTION, "retention and scraping"),
        (Section.IMAGES, "images"),
        (Section.SETTINGS, "settings"),
        (Section.DRIFT, "manual changes"),
        (Section.OTHER, "other"),
    ):
        if items := sections[section]:
            yield (f"{what}: {_kinds(items)}",)
    yield (count(len(sections[Section.DETAILS]), "resource"),)


def _kinds(items: tuple[Item, ...]) -> str:
    found = [
        f"{number} {kind}" for kind in Kind if (number := sum(item.kind is kind for item in items))
    ]
    return ", ".join(found)


def _inventory(comparison: Comparison) -> Iterator[Line]:
    """Return the inventory of each version that renders."""
    for name, side in (("before", comparison.before), ("after", comparison.after)):
        if side.resources:
            yield (f"The version {name} renders:",)
            yield from _listed(side)


def _listed(side: Snapshot) -> Iterator[Line]:
    services = sorted(service_of(container) for container in side.of_type(CONTAINER))
    yield (f"{count(len(services), 'container')}: ", *quoted(services, most=20))
    names = sorted({rule.name for rule in alerts.read(side).alerts})
    yield (f"{count(len(names), 'alert')}: ", *quoted(names, most=60))
    boards = [board.title for board in dashboards.all_of(side)]
    yield (f"{count(len(boards), 'dashboard')}: ", *quoted(boards, most=20))
    kept = [part for part in collection.retention(side) if part]
    yield ("retention: ", *quoted(kept or ["not set"]))
    images = sorted(str(image.inputs.get("name")) for image in side.of_type(IMAGE))
    yield (f"{count(len(images), 'image')}: ", *quoted(images, most=20))
