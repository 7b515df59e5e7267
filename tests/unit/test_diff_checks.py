"""Checks of a new version's files by promtool, amtool and the policies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ops.review.diff import checks
from ops.review.diff.comparison import DiffError
from ops.review.diff.report import Check, Status
from ops.review.diff.snapshot import Snapshot
from tests.unit import diff_stacks as stacks


def by_name(found: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in found}


@pytest.fixture
def prod() -> Snapshot:
    return stacks.stack("prod")


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on PATH")


@pytest.mark.parametrize("tool", ["promtool", "amtool"])
def test_check_valid_files_passes(tool: str, prod: Snapshot) -> None:
    needs(tool)
    assert by_name(checks.run(prod))[tool].status is Status.PASSED


def test_check_invalid_rule_quotes_promtool(prod: Snapshot) -> None:
    needs("promtool")
    broken = stacks.with_text(prod, "rules/backend.yml", "ratio_rate5m > 5", "ratio_rate5m >>")
    found = by_name(checks.run(broken))["promtool"]
    assert found.status is Status.FAILED
    assert "HighErrorRate" in found.words
    assert "/tmp" not in found.words
    assert "redis.yml" not in found.words


def test_check_invalid_route_quotes_amtool(prod: Snapshot) -> None:
    needs("amtool")
    broken = stacks.with_text(prod, "alertmanager.yml", "receiver: critical", "receiver: nobody")
    found = by_name(checks.run(broken))["amtool"]
    assert found.status is Status.FAILED
    assert "nobody" in found.words


def test_check_missing_tool_is_named(
    prod: Snapshot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = by_name(checks.run(prod))
    assert (found["promtool"].status, found["promtool"].words) == (
        Status.NOT_RUN,
        "no promtool on PATH",
    )


def test_check_unreadable_file_is_named() -> None:
    found = by_name(checks.run(Snapshot()))["amtool"]
    assert (found.status, found.words) == (Status.NOT_RUN, "no alertmanager.yml that can be read")


def test_policies_of_another_stack_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    finding = {"policy": "a", "level": "advisory", "resource": "b", "message": "c"}
    file.write_text(json.dumps([{**finding, "stack": "dev"}, {**finding, "stack": "prod"}]))
    assert [check.words for check in checks.policies(file, "prod")] == ["b: c"]


def test_policies_without_violations_pass(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    file.write_text("[]")
    assert [check.status for check in checks.policies(file, "prod")] == [Status.PASSED]


@pytest.mark.parametrize("text", ["{", "{}x", "[1]", '[{"policy": "a"}]', '[{"level": "odd"}]'])
def test_policies_invalid_file_is_reported(text: str, tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    file.write_text(text)
    with pytest.raises(DiffError, match="is not a list of policy violations"):
        checks.policies(file, "prod")


def test_policies_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DiffError, match="cannot be read: No such file"):
        checks.policies(tmp_path / "none.json", "prod")
