"""Grafana's SQLite database as one consistent file."""

from __future__ import annotations

import contextlib
import sqlite3
import tarfile
from pathlib import Path
from typing import IO

from ops.backup import members
from ops.backup.errors import BackupError
from ops.backup.sources import DATABASE
from ops.backup.writer import PartWriter

# Password hashes and session tokens are in it.
MODE = 0o640


def belongs(member: tarfile.TarInfo) -> bool:
    """Return whether this is the database or one of its journals."""
    return member.isfile() and member.name.startswith(DATABASE)


def receive(member: tarfile.TarInfo, content: IO[bytes], folder: Path) -> None:
    with (folder / member.name).open("wb") as out:
        while chunk := content.read(members.CHUNK_BYTES):
            out.write(chunk)


def settle(folder: Path) -> Path:
    """Apply the journals and check the integrity of all pages. Raises BackupError."""
    path = folder / DATABASE
    if not path.is_file():
        raise BackupError(f"Grafana's volume has no {DATABASE}.")
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode=DELETE").fetchall()
            (found,) = database.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise BackupError(f"Grafana's database is damaged: {found}. No backup was written.")
    return path


def add(folder: Path, part: PartWriter) -> None:
    """Add the consistent database to the archive. Raises BackupError."""
    path = settle(folder)
    entry = tarfile.TarInfo(DATABASE)
    entry.size, entry.mode, entry.mtime = path.stat().st_size, MODE, int(path.stat().st_mtime)
    with path.open("rb") as content:
        part.add(entry, content)
