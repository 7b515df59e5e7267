"""Inventory of one version, if the other one is broken."""

from __future__ import annotations

from collections.abc import Iterator

from ops.review.diff import alerts, collection, dashboards
from ops.review.diff.comparison import Comparison
from ops.review.diff.report import Line, count, quoted
from ops.review.diff.snapshot import CONTAINER, IMAGE, Snapshot, service_of


def lines(comparison: Comparison) -> Iterator[Line]:
    """Return the inventory of each version that renders."""
    for name, side in (("before", comparison.before), ("after", comparison.after)):
        if side.resources:
            yield (f"The version {name} renders:",)
            yield from _lines(side)


def _lines(side: Snapshot) -> Iterator[Line]:
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
