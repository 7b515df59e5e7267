"""Workflows and actions of the repository: their jobs, steps and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: path for path in sorted((GITHUB / "workflows").glob("*.yml"))}
ACTIONS = {path.parent.name: path for path in sorted((GITHUB / "actions").glob("*/action.yml"))}
FILES = {**WORKFLOWS, **ACTIONS}


def load(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(FILES[name].read_text())
    return found


def triggers(name: str) -> dict[str, Any]:
    """YAML 1.1 takes `on` for a truth."""
    found: dict[str, Any] = load(name)[True]
    return found


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = load(name)["jobs"]
    return found


def steps(name: str) -> list[dict[str, Any]]:
    """Return the steps of all jobs, or of the action."""
    found = load(name)
    parts = found["jobs"].values() if "jobs" in found else [found["runs"]]
    return [step for part in parts for step in part["steps"]]


def scripts(name: str) -> list[str]:
    return [step["run"] for step in steps(name) if "run" in step]


def step(name: str, title: str) -> dict[str, Any]:
    return next(found for found in steps(name) if found.get("name") == title)
