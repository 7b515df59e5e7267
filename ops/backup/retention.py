"""Names of archives, and removal of old ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ops.backup.writer import PARTIAL

_STAMP = "%Y%m%dT%H%M%SZ"


def archive_name(stack: str, moment: datetime) -> str:
    return f"vitalstream-{stack}-{moment.astimezone(UTC):{_STAMP}}.tar"


def remove_old(folder: Path, stack: str, keep: int) -> list[Path]:
    """Remove all but the newest `keep` archives of a stack and return the removed paths."""
    old = sorted(_archives(folder, stack, ""), reverse=True)[keep:]
    for path in old:
        path.unlink()
    return old


def remove_partial(folder: Path, stack: str) -> None:
    """Remove the partial archives of killed backups."""
    for path in _archives(folder, stack, PARTIAL):
        path.unlink()


def _archives(folder: Path, stack: str, suffix: str) -> Iterator[Path]:
    # The whole name: `prod` is not `prod-eu`.
    name = re.compile(rf"vitalstream-{re.escape(stack)}-\d{{8}}T\d{{6}}Z\.tar{re.escape(suffix)}")
    return (path for path in folder.iterdir() if path.is_file() and name.fullmatch(path.name))
