"""Terminal output of a report."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ops.review.diff import safe
from ops.review.diff.markdown import NO_RESTART
from ops.review.diff.report import Field, Item, Line, Mark, Quote, Report, Section

_MARKS = {
    Mark.DANGER: "DANGER ",
    Mark.INTERRUPTS: "INTERRUPTS ",
    Mark.WEAKER: "WEAKER ",
    Mark.CAUTION: "NOTE ",
    Mark.NONE: "",
}
_SPAN = 400


def render(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def line(found: Line) -> str:
    return "".join(
        safe.clipped(safe.visible(part.text), _SPAN) if isinstance(part, Quote) else part
        for part in found
    )


def _lines(report: Report) -> Iterator[str]:
    yield f"{safe.visible(report.stack)}: {line(report.verdict)}"
    for note in report.notes:
        yield f"  {line(note)}"
    if not report.changes and not report.failed:
        return
    yield f"  ({safe.visible(report.origin)})"
    for fault in report.faults:
        yield from ("", f"{safe.visible(fault.which)} {fault.how}")
        yield textwrap.indent(safe.visible(fault.words, lines=True), "  ")
    yield from (f"  {line(one)}" for one in report.inventory)
    for section in Section:
        items = report.sections.get(section, ())
        quiet = section is Section.INTERRUPTIONS and report.sections and not report.interrupts
        if items or quiet:
            yield from ("", str(section))
        if quiet:
            yield f"  {NO_RESTART}"
        for item in items:
            yield from _item(item)
    if report.checks:
        yield from ("", "Checks")
        for check in report.checks:
            words = safe.visible(check.words, lines=True)
            yield f"  {safe.visible(check.name)}: {check.status}{': ' + words if words else ''}"


def _item(item: Item) -> Iterator[str]:
    yield f"  {_MARKS[item.mark]}{line(item.line)}"
    for why in item.why:
        yield f"      {line(why)}"
    for field in item.fields:
        yield f"      {_field(field)}"
    if item.diff:
        yield textwrap.indent(safe.visible(item.diff, lines=True), "      ")


def _field(field: Field) -> str:
    name, old, new = (
        None if part is None else safe.clipped(safe.visible(part), _SPAN)
        for part in (field.name, field.old, field.new)
    )
    if old is None:
        return f"{name}: {new}"
    return f"{name}: was {old}" if new is None else f"{name}: {old} -> {new}"
