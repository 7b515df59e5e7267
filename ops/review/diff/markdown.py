"""Markdown output of a report, cut at GitHub's size of a comment.

Text that comes from the repository is only written in code spans and code blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ops.review.diff import safe
from ops.review.diff.comparison import DiffError
from ops.review.diff.options import COMMENT_BYTES
from ops.review.diff.report import (
    Check,
    Field,
    Item,
    Line,
    Mark,
    Quote,
    Report,
    Section,
    Status,
    count,
)

# Of a job's summary.
SUMMARY_BYTES = 1_000_000
_SPAN = 400
_NAME = 120
_WORDS = 4000
_MARKS = {
    Mark.DANGER: "DANGER",
    Mark.INTERRUPTS: "interrupts",
    Mark.WEAKER: "weaker",
    Mark.CAUTION: "note",
}
# Folded where they are long: what stands above is read first.
_FOLDABLE = (Section.DASHBOARDS, Section.COLLECTION, Section.SETTINGS, Section.OTHER)
_LONG = 10
NO_RESTART = "Configuration only: no container restarts."


@dataclass(frozen=True)
class Style:
    """Notation of an output format; `span` and `block` escape text of the repository."""

    span: Callable[[str, int], str]
    block: Callable[[str, str], str]
    strong: Callable[[str], str]
    heading: str
    fold: str
    fold_end: str
    paragraph: str
    item: str
    detail: str
    arrow: str

    def line(self, found: Line, most: int = _SPAN) -> str:
        return "".join(
            self.span(part.text, most) if isinstance(part, Quote) else part for part in found
        )


MARKDOWN = Style(
    span=safe.code,
    block=lambda words, language: f"\n{safe.fenced(words, language)}\n\n",
    strong=lambda word: f"**{word}**",
    heading="### {}\n",
    fold="<details><summary>{}</summary>\n",
    fold_end="</details>\n",
    paragraph="{}\n\n",
    item="- ",
    detail="  - ",
    arrow="→",
)


@dataclass(frozen=True)
class Block:
    """Heading and content; `foot` closes a tag that the heading opened."""

    title: str
    head: str
    parts: tuple[str, ...]
    foot: str = ""
    is_last: bool = False

    def text(self, parts: tuple[str, ...], left_out: int = 0) -> str:
        more = f"- ... and {left_out} more\n" if left_out else ""
        return f"\n{self.head}\n{''.join(parts)}{more}{self.foot}"


def marker(stack: str) -> str:
    """Return the first line, by which the comment is found. Raises DiffError."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack):
        raise DiffError(f"{stack!r} is not a valid stack name.")
    return f"<!-- vitalstream-preview: {stack} -->"


def render(report: Report, most: int = COMMENT_BYTES, details: str = "") -> str:
    """Render at most `most` bytes of UTF-8; `details` says where the rest is."""
    name = safe.code(report.stack, _NAME)
    head = f"{marker(report.stack)}\n**{name}**: {MARKDOWN.line(report.verdict, _NAME)}\n"
    if not report.changes and not report.failed:
        return head + "".join(f"\n{MARKDOWN.line(note)}\n" for note in report.notes)
    found = list(blocks(report, MARKDOWN))
    return _within(f"{head}\n_{safe.code(report.origin, _SPAN)}_\n", found, most, details)


def blocks(report: Report, style: Style) -> Iterator[Block]:
    """Yield the parts of a report, in order."""

    def block(title: str, parts: Iterable[str], *, is_last: bool = False) -> Block:
        return Block(title, style.heading.format(title), tuple(parts), is_last=is_last)

    if report.notes:
        notes = tuple(style.paragraph.format(style.line(note)) for note in report.notes)
        yield Block("notes", "", notes)
    for fault in report.faults:
        words = style.block(safe.clipped(fault.words, _WORDS), "text")
        yield block(f"{style.span(fault.which, _NAME)} {fault.how}", [words])
    if report.inventory:
        found = (f"{style.item}{style.line(one)}\n" for one in report.inventory)
        yield block("What there is", found)
    for section in Section:
        items = report.sections.get(section, ())
        parts = [_item(item, style) for item in items]
        if section is Section.INTERRUPTIONS and report.sections and not report.interrupts:
            yield block(section, [style.paragraph.format(NO_RESTART), *parts])
        elif items and (section is Section.DETAILS or _is_long(section, items)):
            many = count(len(items), "resource" if section is Section.DETAILS else "change")
            title = f"{section}: {many}"
            yield Block(title, style.fold.format(title), tuple(parts), style.fold_end)
        elif items:
            yield block(section, parts)
    if report.checks:
        yield block("Checks", (_check(one, style) for one in report.checks), is_last=True)


def _is_long(section: Section, items: Sequence[Item]) -> bool:
    return section in _FOLDABLE and len(items) > _LONG


def _item(item: Item, style: Style) -> str:
    mark = f"{style.strong(_MARKS[item.mark])} " if item.mark else ""
    details = [*map(style.line, item.why), *(_field(field, style) for field in item.fields)]
    return "".join(
        [
            f"{style.item}{mark}{style.line(item.line)}\n",
            *(f"{style.detail}{detail}\n" for detail in details),
            style.block(item.diff, "diff") if item.diff else "",
        ]
    )


def _field(field: Field, style: Style) -> str:
    name = style.span(field.name, _NAME)
    old, new = (style.span(part or "", _SPAN) for part in (field.old, field.new))
    if field.old is None:
        return f"{name}: {new}"
    return f"{name}: was {old}" if field.new is None else f"{name}: {old} {style.arrow} {new}"


def _check(check: Check, style: Style) -> str:
    status = str(check.status)
    if check.status is Status.FAILED:
        status = style.strong(status)
    found = f"{style.item}{style.span(check.name, _NAME)}: {status}"
    if "\n" in check.words:
        return f"{found}\n{style.block(safe.clipped(check.words, _WORDS), 'text')}"
    return f"{found}{': ' + style.span(check.words, _SPAN) if check.words else ''}\n"


def _within(head: str, blocks: list[Block], most: int, details: str) -> str:
    """Fit blocks in order, the first one that is too long in part, and the checks."""
    whole = head + "".join(block.text(block.parts) for block in blocks)
    if _size(whole) <= most:
        return whole
    last = f"\n_Cut here: a comment is full. {details or 'Run `ops diff` for all of it.'}_\n"
    # What the tools say is short, and is not to be lost behind a long list.
    end = [block.text(block.parts) for block in blocks[-1:] if block.is_last]
    room = most - _size(head + _left_out(blocks) + last)
    if end and _size(end[0]) <= room // 2:
        room -= _size(end[0])
        blocks = blocks[:-1]
    else:
        end = []
    written, left = head, blocks
    for block in blocks:
        parts = block.parts
        if _size(block.text(parts)) > room:
            parts = _fitting(block, room)
        if not parts:
            break
        added = block.text(parts, len(block.parts) - len(parts))
        written, room, left = written + added, room - _size(added), left[1:]
        if parts != block.parts:
            break
    return written + _left_out(left) + "".join(end) + last


def _left_out(blocks: Sequence[Block]) -> str:
    return f"\nLeft out: {', '.join(block.title for block in blocks)}.\n" if blocks else ""


def _fitting(block: Block, room: int) -> tuple[str, ...]:
    """Return the first parts that fit beside the note on the others."""
    used = _size(block.text((), len(block.parts)))
    found: list[str] = []
    for part in block.parts:
        used += _size(part)
        if used > room:
            break
        found.append(part)
    return tuple(found)


def _size(text: str) -> int:
    return len(text.encode())
