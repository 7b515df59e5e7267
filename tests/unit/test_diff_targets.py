"""Report of a change to backends that are found in files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from components.user_files.paths import PROJECT_DIR
from tests.unit import diff_stacks as stacks

BEFORE = [{"targets": ["api-1:8000", "api-2:8000"]}]


def _printed(folder: Path, after: str) -> str:
    (folder / "backend.json").write_text(json.dumps(BEFORE))
    path = os.path.relpath(folder / "backend.json", PROJECT_DIR)
    before = stacks.with_settings(backendTargetFiles=[path])
    changed = stacks.with_file(before, "targets/backend.json", lambda _: after)
    return stacks.printed(stacks.report(before, changed))


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ([{"targets": ["api-1:8000"]}], "targets removed: was api-2:8000"),
        ([{"targets": ["api-1:8000"]}], "WEAKER file of backends targets/backend.json changed"),
        ([{"targets": ["api-1:8000"]}], "no alert covers any more api-2:8000"),
        ([*BEFORE, {"targets": ["api-3:8000"]}], "targets added: api-3:8000"),
        ([{**BEFORE[0], "labels": {"rack": "a"}}], 'labels of api-1:8000: {} -> {"rack": "a"}'),
        ([*BEFORE, {"targets": ["c:1"]}], "prometheus notices its other files by itself"),
    ],
)
def test_target_files_report_added_and_removed_backends(
    after: object, says: str, tmp_path: Path
) -> None:
    assert says in _printed(tmp_path, json.dumps(after))


def test_target_files_with_added_backend_are_not_weaker(tmp_path: Path) -> None:
    after = json.dumps([*BEFORE, {"targets": ["api-3:8000"]}])
    assert "WEAKER" not in _printed(tmp_path, after)


def test_target_file_unreadable_is_reported_as_changed(tmp_path: Path) -> None:
    assert "file of backends targets/backend.json changed" in _printed(tmp_path, "[{targets: ")


def test_target_moved_from_list_to_file_is_not_weaker(tmp_path: Path) -> None:
    (tmp_path / "backend.json").write_text(json.dumps(BEFORE))
    path = os.path.relpath(tmp_path / "backend.json", PROJECT_DIR)
    listed = stacks.with_settings(backendTargets=BEFORE[0]["targets"])
    in_file = stacks.with_settings(backendTargets=[], backendTargetFiles=[path])
    assert "WEAKER" not in stacks.printed(stacks.report(listed, in_file))
    assert "WEAKER" not in stacks.printed(stacks.report(in_file, listed))
