"""Terminal output of a report."""

from __future__ import annotations

import textwrap

from ops.review.diff import safe
from ops.review.diff.markdown import Style, blocks
from ops.review.diff.report import Report

TEXT = Style(
    span=lambda words, most: safe.clipped(safe.visible(words), most),
    block=lambda words, _: textwrap.indent(safe.visible(words, lines=True), "      ") + "\n",
    strong=str.upper,
    heading="{}",
    fold="{}",
    fold_end="",
    paragraph="  {}\n",
    item="  ",
    detail="      ",
    arrow="->",
)


def render(report: Report) -> str:
    head = f"{safe.visible(report.stack)}: {TEXT.line(report.verdict)}\n"
    if not report.changes and not report.failed:
        return head + "".join(TEXT.paragraph.format(TEXT.line(note)) for note in report.notes)
    found = "".join(block.text(block.parts) for block in blocks(report, TEXT))
    return f"{head}  ({safe.visible(report.origin)})\n{found}"
