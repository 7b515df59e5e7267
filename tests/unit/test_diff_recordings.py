"""Reports on what a real engine and the recorder said of one edit (tests/engine/recording.py).

    UPDATE_GOLDEN=1 python -m pytest tests/unit/test_diff_recordings.py

writes the reports anew; what they say is then for a person to read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ops.review.diff import (
    base,
    compose,
    markdown,
    plan,
    preview,
    text,
)
from ops.review.diff.comparison import Comparison
from ops.review.diff.report import Report, Section
from ops.review.diff.snapshot import Snapshot

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
STACK = "engine-diff"


def snapshot(name: str) -> Snapshot:
    return base.snapshot(json.loads((RECORDINGS / f"{name}.json").read_text()))


def by_commits() -> Report:
    before, after = snapshot("before"), snapshot("after")
    steps = plan.steps(before, after)
    return compose.report(Comparison(STACK, "one commit to another", before, after, steps))


def by_engine() -> Report:
    found = preview.compare(RECORDINGS / "preview.json")
    return compose.report(
        replace(
            found,
            before=replace(found.before, settings=snapshot("before").settings),
            after=replace(found.after, settings=snapshot("after").settings),
        )
    )


@pytest.mark.parametrize("write", [markdown.render, text.render])
@pytest.mark.parametrize("source", [by_commits, by_engine])
def test_report_of_recording_matches_the_stored_text(
    source: Callable[[], Report], write: Callable[[Report], str]
) -> None:
    suffix = "md" if write is markdown.render else "txt"
    golden = RECORDINGS / f"{source.__name__}.{suffix}"
    found = write(source())
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("section", [one for one in Section if one is not Section.DETAILS])
def test_report_of_recording_is_equal_for_both_sources(section: Section) -> None:
    assert by_engine().sections[section] == by_commits().sections[section]
