"""Small edits, each with what the report must say of it and what it must not."""

from __future__ import annotations

import pytest

from ops.review.diff.snapshot import Snapshot
from tests.unit import diff_stacks as stacks
from tests.unit.diff_edits_of_alerts import EDITS_OF_ALERTS
from tests.unit.diff_edits_of_resources import EDITS_OF_RESOURCES

EDITS = {**EDITS_OF_ALERTS, **EDITS_OF_RESOURCES}


@pytest.fixture(scope="module")
def prod() -> Snapshot:
    return stacks.stack("prod")


@pytest.mark.parametrize("name", EDITS)
def test_report_of_edit_has_its_lines(name: str, prod: Snapshot) -> None:
    case = EDITS[name]
    found = stacks.printed(stacks.report(prod, case.edit(prod)))
    assert [words for words in case.says if words not in found] == [], found
    assert [words for words in case.silent if words in found.partition("All changes")[0]] == []


def test_report_of_metric_added_to_allowlist_names_it() -> None:
    before, after = (
        stacks.with_settings("prod", keepOnlyWhatIsRead=True, keepMetrics=more)
        for more in ([], ["go_goroutines"])
    )
    found = stacks.printed(stacks.report(before, after))
    assert "metrics now kept: go_goroutines" in found
    assert "metric_relabel_configs" not in found.partition("All changes")[0]


@pytest.mark.parametrize("name", EDITS)
def test_report_of_reverted_edit_has_its_lines(name: str, prod: Snapshot) -> None:
    edited = EDITS[name].edit(prod)
    assert stacks.report(edited, prod).changes is stacks.report(prod, edited).changes


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_report_of_unchanged_stack_is_one_line(stack: str) -> None:
    same = stacks.stack(stack)
    assert stacks.printed(stacks.report(same, same, stack)) == f"{stack}: nothing changes\n"
