"""Markdown output of a report, cut at GitHub's size of a comment.

Text that comes from the repository is only written in code spans and code blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.review.diff import safe
from ops.review.diff.comparison import DiffError
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

# GitHub counts characters; counted in bytes, a comment is never too long.
COMMENT_BYTES = 65_536
# Of a job's summary.
SUMMARY_BYTES = 1_000_000
# Room enough for the first lines, which are never cut.
LEAST_BYTES = 8_192
_SPAN = 400
_NAME = 120
_MARKS = {
    Mark.DANGER: "**DANGER** ",
    Mark.INTERRUPTS: "**interrupts** ",
    Mark.WEAKER: "**weaker** ",
    Mark.CAUTION: "**note** ",
    Mark.NONE: "",
}
# Folded where they are long: what stands above is read first.
_FOLDABLE = (Section.DASHBOARDS, Section.COLLECTION, Section.SETTINGS, Section.OTHER)
_LONG = 10
_CHECKS = {
    Status.PASSED: "passed",
    Status.FAILED: "**failed**",
    Status.ADVICE: "advice",
    Status.NOT_RUN: "not run",
}
NO_RESTART = "Configuration only: no container restarts."


@dataclass(frozen=True)
class _Block:
    """Heading and content; `foot` closes a tag that the heading opened."""

    head: str
    parts: tuple[str, ...]
    foot: str = ""
    is_last: bool = False


def marker(stack: str) -> str:
    """Return the first line, by which the comment is found. Raises DiffError."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack):
        raise DiffError(f"{stack!r} is not a valid stack name.")
    return f"<!-- vitalstream-preview: {stack} -->"


def render(report: Report, most: int = COMMENT_BYTES, details: str = "") -> str:
    """Render at most `most` bytes of UTF-8; `details` says where the rest is."""
    name = safe.code(report.stack, _NAME)
    head = f"{marker(report.stack)}\n**{name}**: {line(report.verdict, _NAME)}\n"
    if not report.changes and not report.failed:
        head += "".join(f"\n{line(note)}\n" for note in report.notes)
        return head
    blocks = list(_blocks(report))
    return _within(f"{head}\n_{safe.code(report.origin, _SPAN)}_\n", blocks, most, details)


def line(found: Line, most: int = _SPAN) -> str:
    return "".join(
        safe.code(part.text, most) if isinstance(part, Quote) else part for part in found
    )


def _blocks(report: Report) -> Iterator[_Block]:
    if report.notes:
        yield _Block("", tuple(f"{line(note)}\n" for note in report.notes))
    for fault in report.faults:
        words = safe.fenced(safe.clipped(fault.words, 4000), "text")
        yield _Block(f"### {safe.code(fault.which, _NAME)} {fault.how}\n", (words,))
    if report.inventory:
        found = tuple(f"- {line(one)}\n" for one in report.inventory)
        yield _Block("### What there is\n", found)
    for section in Section:
        items = report.sections.get(section, ())
        if section is Section.INTERRUPTIONS and report.sections and not report.interrupts:
            yield _Block(f"### {section}\n", (f"{NO_RESTART}\n\n", *map(_item, items)))
        elif items and (section is Section.DETAILS or _is_long(section, items)):
            many = count(len(items), "resource" if section is Section.DETAILS else "change")
            summary = f"<details><summary>{section}: {many}</summary>\n"
            yield _Block(summary, tuple(map(_item, items)), "</details>\n")
        elif items:
            yield _Block(f"### {section}\n", tuple(map(_item, items)))
    if report.checks:
        yield _Block("### Checks\n", tuple(map(_check, report.checks)), is_last=True)


def _is_long(section: Section, items: Sequence[Item]) -> bool:
    return section in _FOLDABLE and len(items) > _LONG


def _item(item: Item) -> str:
    found = f"- {_MARKS[item.mark]}{line(item.line)}\n"
    for why in item.why:
        found += f"  - {line(why)}\n"
    for field in item.fields:
        found += f"  - {_field(field)}\n"
    if item.diff:
        found += f"\n{safe.fenced(item.diff, 'diff')}\n\n"
    return found


def _field(field: Field) -> str:
    name = safe.code(field.name, _NAME)
    if field.old is None:
        return f"{name}: {safe.code(field.new or '', _SPAN)}"
    if field.new is None:
        return f"{name}: was {safe.code(field.old, _SPAN)}"
    return f"{name}: {safe.code(field.old, _SPAN)} → {safe.code(field.new, _SPAN)}"


def _check(check: Check) -> str:
    found = f"- {safe.code(check.name, _NAME)}: {_CHECKS[check.status]}"
    if "\n" in check.words:
        return f"{found}\n\n{safe.fenced(safe.clipped(check.words, 4000), 'text')}\n\n"
    return f"{found}{': ' + safe.code(check.words, _SPAN) if check.words else ''}\n"


def _within(head: str, blocks: list[_Block], most: int, details: str) -> str:
    """Fit blocks in order, the first one that is too long in part, and the checks."""
    whole = head + "".join(_block(block, block.parts) for block in blocks)
    if _size(whole) <= most:
        return whole
    last = f"\n_Cut here: a comment is full. {details or 'Run `ops diff` for all of it.'}_\n"
    # What the tools say is short, and is not to be lost behind a long list.
    end = [_block(block, block.parts) for block in blocks[-1:] if block.is_last]
    room = most - _size(head + _left_out(blocks) + last)
    if end and _size(end[0]) <= room // 2:
        room -= _size(end[0])
        blocks = blocks[:-1]
    else:
        end = []
    written, left = head, blocks
    for block in blocks:
        parts = block.parts
        if _size(_block(block, parts)) > room:
            parts = _fitting(block, room)
        if not parts:
            break
        added = _block(block, parts, left_out=len(block.parts) - len(parts))
        written, room, left = written + added, room - _size(added), left[1:]
        if parts != block.parts:
            break
    return written + _left_out(left) + "".join(end) + last


def _left_out(blocks: Sequence[_Block]) -> str:
    return f"\nLeft out: {', '.join(map(_title, blocks))}.\n" if blocks else ""


def _fitting(block: _Block, room: int) -> tuple[str, ...]:
    """Return the first parts that fit beside the note on the others."""
    used = _size(_block(block, (), left_out=len(block.parts)))
    found: list[str] = []
    for part in block.parts:
        used += _size(part)
        if used > room:
            break
        found.append(part)
    return tuple(found)


def _block(block: _Block, parts: tuple[str, ...], left_out: int = 0) -> str:
    more = f"- ... and {left_out} more\n" if left_out else ""
    return f"\n{block.head}\n{''.join(parts)}{more}{block.foot}"


def _title(block: _Block) -> str:
    text = block.head.replace("<details><summary>", "").replace("</summary>", "")
    return text.strip().strip("#").strip() or "notes"


def _size(text: str) -> int:
    return len(text.encode())
