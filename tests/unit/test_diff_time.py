"""Run time of `ops diff` for both stacks."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.review.diff.command import Exit
from ops.root import ROOT

# CPU of the whole command, in those of rendering one stack: both are measured here, since machines
# differ by more than a factor of two. Two stacks of two versions are four renderings.
MOST_RENDERINGS = 7
LEFT_OUT = (".git", ".venv", ".vitalstream", ".*_cache", "__pycache__", "build", "node_modules")
EDITS = {
    "rules/backend.yml": ("ratio_rate5m > 5", "ratio_rate5m > 6"),
    "components/dashboards/machines.py": ('title="CPU Usage"', 'title="CPU of the hosts"'),
}
"""Make an edit that shows in both stacks' alerts, and one in their dashboards."""


def _git(root: Path, *arguments: str) -> None:
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """Create a repository of the whole program with an edit as its last commit."""
    root = tmp_path / "program"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    _git(root, "init", "--quiet")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "--message", "before")
    for path, (old, new) in EDITS.items():
        text = (root / path).read_text()
        assert text.count(old) == 1, f"{path} has no longer just one {old}"
        (root / path).write_text(text.replace(old, new))
    _git(root, "commit", "--quiet", "--all", "--message", "after")
    return root


def _cpu_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _run(root: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run the command line; return what it printed, and its CPU seconds."""
    before = _cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, _cpu_seconds() - before


def test_report_on_both_stacks_costs_little_more_than_their_renderings(
    edited: Path, tmp_path: Path
) -> None:
    _, one = _run(edited, "render", "--stack", "prod", "--out", str(tmp_path / "out"))
    done, spent = _run(edited, "diff", "--base", "HEAD~1")
    assert done.returncode == Exit.CHANGES, done.stderr
    for stack in ("dev", "prod"):
        assert f"{stack}: " in done.stdout
    assert done.stdout.count("threshold: > 5 -> > 6") == 2
    assert done.stdout.count("panel CPU of the hosts of VitalStream Overview") == 2
    assert spent < MOST_RENDERINGS * one
