"""A copy of the project with one more kind of monitored service, added as a newcomer would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "tests" / "live" / "mysql"
"""The files of the service MySQL, at the paths that they have in a project."""
ROWS = Path("docs/runbooks/README.rows.md")
"""The one file that is not added as it is: its lines go to the end of docs/runbooks/README.md."""
_NOT_COPIED = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".vitalstream",
    ".*_cache",
    "__pycache__",
    "build",
    "*.egg-info",
    "gate",
    "mysql",
)


def add(project: Path) -> list[Path]:
    """Copy the project to a folder and add MySQL; return the added files, relative to it.

    Raises FileExistsError where one of them would replace a file.
    """
    shutil.copytree(ROOT, project, ignore=_NOT_COPIED)
    added = [
        path.relative_to(FILES)
        for path in sorted(FILES.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in added:
        target = project / path
        if path == ROWS:
            with target.with_name("README.md").open("a") as index:
                index.write((FILES / path).read_text())
        elif target.exists():
            raise FileExistsError(f"{path} is there already")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FILES / path, target)
    return added


def run(project: Path, *arguments: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run Python in the project, whose modules it imports."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
