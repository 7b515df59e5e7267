"""`python -m ops diff`: options, output files and exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops.review.diff import as_json, base, checks, compose, markdown, preview, text
from ops.review.diff.comparison import Comparison, DiffError
from ops.review.diff.options import COMMENT_BYTES, FailOn, Format
from ops.review.diff.report import Check, Report
from ops.root import ROOT


class Exit:
    """Exit codes. ERROR: no report, a version that does not render, or a failed check."""

    NOTHING = 0
    ERROR = 1
    CHANGES = 2
    FAIL_ON = 3


_SUFFIX = {Format.TEXT: "txt", Format.MARKDOWN: "md", Format.JSON: "json"}


@dataclass(frozen=True)
class Options:
    """Options: `out` is a folder for one file per stack, `details` a file for the full Markdown."""

    base: str = ""
    previews: tuple[Path, ...] = ()
    stacks: tuple[str, ...] = ()
    format: Format = Format.TEXT
    out: Path | None = None
    details: Path | None = None
    most_bytes: int = COMMENT_BYTES
    policy: Path | None = None
    fail_on: tuple[FailOn, ...] = ()
    clean: bool = False
    root: Path = ROOT


@dataclass(frozen=True)
class Outcome:
    printed: str
    status: int


def run(options: Options) -> Outcome:
    """Compare, and write all reports at the end. Raises DiffError."""
    reports = [compose.report(one, _checks(one, options)) for one in _compared(options)]
    return deliver(reports, options)


def deliver(reports: Sequence[Report], options: Options) -> Outcome:
    """Write the reports and return the text to print and the exit code."""
    documents = {report.stack: _document(report, options) for report in reports}
    if options.details:
        options.details.parent.mkdir(parents=True, exist_ok=True)
        room = markdown.SUMMARY_BYTES // max(len(reports), 1)
        options.details.write_text("\n".join(markdown.render(one, room) for one in reports))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        for stack, document in documents.items():
            (options.out / f"{stack}.{_SUFFIX[options.format]}").write_text(document)
    if options.format is Format.JSON:
        printed = as_json.render(reports)
    else:
        printed = "\n".join(documents.values())
    return Outcome("" if options.out else printed, _status(reports, options.fail_on))


def _compared(options: Options) -> list[Comparison]:
    if not options.previews:
        if not options.base:
            raise DiffError("Give --base COMMIT to compare with, or --preview FILE of an engine's.")
        return base.compare(options.root, options.base, options.stacks, clean=options.clean)
    found = [preview.compare(path) for path in options.previews]
    there = [one.stack for one in found]
    if missing := sorted(set(options.stacks) - set(there)):
        raise DiffError(f"No preview is of stack {', '.join(missing)}; there are: {_list(there)}.")
    if len(set(there)) < len(there):
        raise DiffError(f"More than one preview is of one stack: {_list(there)}.")
    chosen = [one for one in found if one.stack in (options.stacks or there)]
    return [_with_settings(one, options) if options.base else one for one in chosen]


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _with_settings(comparison: Comparison, options: Options) -> Comparison:
    """Add the settings of the base commit: a preview has only the new ones."""
    before, after = base.settings(options.root, options.base, comparison.stack)
    return replace(
        comparison,
        before=replace(comparison.before, settings=before),
        after=replace(comparison.after, settings=after),
    )


def _checks(comparison: Comparison, options: Options) -> tuple[Check, ...]:
    found = checks.run(comparison.after) if comparison.after.resources else ()
    if options.policy:
        found += checks.policies(options.policy, comparison.stack)
    return found


def _document(report: Report, options: Options) -> str:
    match options.format:
        case Format.JSON:
            return as_json.render([report])
        case Format.TEXT:
            return text.render(report)
    where = "All of it is in the summary of the job." if options.details else ""
    return markdown.render(report, options.most_bytes, where)


def _status(reports: Sequence[Report], fail_on: Iterable[FailOn]) -> int:
    found = {
        FailOn.INTERRUPTION: any(report.interrupts for report in reports),
        FailOn.WEAKENED: any(report.weakens for report in reports),
    }
    if any(report.failed for report in reports):
        return Exit.ERROR
    if any(found[what] for what in fail_on):
        return Exit.FAIL_ON
    return Exit.CHANGES if any(report.changes for report in reports) else Exit.NOTHING
