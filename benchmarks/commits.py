"""Work tree of another commit, which this one is measured against."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.projects import BenchmarkError
from ops.root import ROOT


@contextlib.contextmanager
def work_tree(commit: str) -> Iterator[Path]:
    """Check the commit out into a temporary folder. Raises BenchmarkError."""
    with tempfile.TemporaryDirectory(prefix="vitalstream-commit-") as above:
        folder = Path(above) / commit
        _git("worktree", "add", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> None:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"git {arguments[0]} {arguments[1]} failed:\n{done.stderr.strip()}")
