"""Drift: manual changes of running resources, which only an engine's preview knows."""

from __future__ import annotations

from ops.review.diff.comparison import Comparison, Op
from ops.review.diff.report import Item, Kind, Line, Quote, quoted


def items(comparison: Comparison) -> list[Item]:
    found = []
    for address, step in sorted(comparison.steps.items()):
        if not step.drift:
            continue
        what: Line = (f"{address.kind} ", Quote(address.name))
        if step.op is Op.CREATE:
            found.append(Item(Kind.ADDED, address.name, (*what, " was removed; it is recreated")))
        else:
            line: Line = (*what, " was changed: ", *quoted(step.drift))
            found.append(Item(Kind.CHANGED, address.name, line))
    return found
