"""Output files and exit status of `ops diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.__main__ import app
from ops.review.diff import command
from ops.review.diff.command import Exit, Options
from ops.review.diff.options import FailOn, Format
from ops.review.diff.report import (
    Check,
    Fault,
    Field,
    Item,
    Kind,
    Mark,
    Report,
    Section,
    Status,
)


def report(mark: Mark | None = None, stack: str = "prod", **more: Any) -> Report:
    """Return a comparison with a change of this mark, or without any."""
    item = Item(Kind.CHANGED, "it", ("it changed",), mark or Mark.NONE, fields=(FIELD,))
    sections = {} if mark is None else {Section.ALERTS: (item,)}
    return Report(stack, "", ("a verdict",), sections, **more)


FIELD = Field("for", "5m", "10m")
FAILED = (Check("promtool", Status.FAILED, "no"),)
ADVICE = (Check("policy", Status.ADVICE, "perhaps"),)


@pytest.mark.parametrize(
    ("found", "fail_on", "status"),
    [
        (report(), (), Exit.NOTHING),
        (report(), tuple(FailOn), Exit.NOTHING),
        (report(Mark.NONE), (), Exit.CHANGES),
        (report(Mark.NONE), tuple(FailOn), Exit.CHANGES),
        (report(Mark.CAUTION), tuple(FailOn), Exit.CHANGES),
        (report(Mark.DANGER), (), Exit.CHANGES),
        (report(Mark.DANGER), (FailOn.INTERRUPTION,), Exit.FAIL_ON),
        (report(Mark.INTERRUPTS), (FailOn.INTERRUPTION,), Exit.FAIL_ON),
        (report(Mark.INTERRUPTS), (FailOn.WEAKENED,), Exit.CHANGES),
        (report(Mark.WEAKER), (FailOn.WEAKENED,), Exit.FAIL_ON),
        (report(Mark.WEAKER), (FailOn.INTERRUPTION,), Exit.CHANGES),
        (report(Mark.WEAKER), tuple(FailOn), Exit.FAIL_ON),
        (report(checks=FAILED), (), Exit.ERROR),
        (report(Mark.WEAKER, checks=FAILED), tuple(FailOn), Exit.ERROR),
        (report(checks=ADVICE), (), Exit.NOTHING),
        (report(faults=(Fault("main", "no"),)), (), Exit.ERROR),
    ],
)
def test_exit_status_matches_the_result(
    found: Report, fail_on: tuple[FailOn, ...], status: int
) -> None:
    assert command.deliver([found], Options("HEAD", fail_on=fail_on)).status == status


def test_exit_status_is_the_highest_of_all_stacks() -> None:
    found = [report(stack="dev"), report(Mark.WEAKER)]
    assert command.deliver(found, Options("HEAD")).status == Exit.CHANGES


@pytest.mark.parametrize(
    ("format_", "suffix"),
    [(Format.MARKDOWN, "md"), (Format.TEXT, "txt"), (Format.JSON, "json")],
)
def test_out_folder_has_one_file_per_stack(format_: Format, suffix: str, tmp_path: Path) -> None:
    found = [report(Mark.NONE, "dev"), report(Mark.NONE, "prod")]
    out = tmp_path / "new" / "folder"
    assert command.deliver(found, Options("HEAD", format=format_, out=out)).printed == ""
    assert sorted(path.name for path in out.iterdir()) == [f"dev.{suffix}", f"prod.{suffix}"]
    assert "prod" in (out / f"prod.{suffix}").read_text()


def test_details_file_has_all_stacks_uncut(tmp_path: Path) -> None:
    details = tmp_path / "new" / "details.md"
    found = [report(Mark.NONE, "dev"), report(Mark.NONE, "prod")]
    command.deliver(found, Options("HEAD", details=details))
    assert details.read_text().count("<!-- vitalstream-preview: ") == 2


def test_cut_comment_refers_to_the_summary(tmp_path: Path) -> None:
    item = Item(Kind.CHANGED, "it", ("it",), diff="x" * 9000)
    long = Report("prod", "", ("a verdict",), {Section.DETAILS: (item,)})
    options = Options(
        "HEAD", format=Format.MARKDOWN, details=tmp_path / "details.md", most_bytes=8192
    )
    assert "All of it is in the summary of the job." in command.deliver([long], options).printed
    assert "x" * 9000 in (tmp_path / "details.md").read_text()


def test_json_output_has_the_changes() -> None:
    printed = command.deliver([report(Mark.WEAKER)], Options("HEAD", format=Format.JSON)).printed
    found = json.loads(printed)
    (stack,) = found["stacks"]
    assert (found["version"], stack["stack"], stack["weakens"]) == (1, "prod", True)
    (item,) = stack["sections"]["alerts"]
    assert (item["kind"], item["subject"], item["mark"]) == ("changed", "it", "weaker")
    assert item["fields"] == [{"name": "for", "old": "5m", "new": "10m"}]


def test_max_bytes_too_small_is_refused() -> None:
    found = CliRunner().invoke(app, ["diff", "--base", "HEAD", "--max-bytes", "100"])
    assert found.exit_code == 2
    assert "8192" in found.output
