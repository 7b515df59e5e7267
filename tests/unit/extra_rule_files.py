"""The user's own rule files, written for a test, and the faults that are found in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from components.user_files import rules as extra_rules
from components.user_files.paths import PROJECT_DIR

ALERT: dict[str, Any] = {
    "alert": "BedsWithoutSignal",
    "expr": "beds_without_signal > 2",
    "for": "1m",
    "labels": {"severity": "critical", "service": "ward"},
    "annotations": {"summary": "{{ $value }} beds", "runbook_url": "https://wiki.example.com/a#b"},
}
RECORD = {"record": "ward:beds:sum", "expr": "sum by (ward) (beds)"}


def of_rules(*rules: Any) -> str:
    return yaml.safe_dump({"groups": [{"name": "ward", "rules": list(rules)}]})


def changed(**parts: Any) -> dict[str, Any]:
    return {**ALERT, **parts}


def _problems(project: Path, *paths: str) -> list[str]:
    return [problem.text for problem in extra_rules.problems(paths, project=project)]


def of_text(project: Path, text: str) -> list[str]:
    (project / "ward.yml").write_text(text)
    return _problems(project, "ward.yml")


def from_project(path: Path) -> str:
    return os.path.relpath(path, PROJECT_DIR)
