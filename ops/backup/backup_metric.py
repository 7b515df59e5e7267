"""Leaves word of a backup where node_exporter reads it, so that an alert watches its age."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

from components.exporters.node import TEXTFILE
from ops.backup import lock
from ops.backup.lock import Hand

FILE = "backup.prom"


@dataclass(frozen=True)
class Mark:
    """`moment` in seconds since 1970, UTC: when the archive was complete."""

    stack: str
    moment: float
    size: int
    seconds: float

    def text(self) -> str:
        """In Prometheus' text format."""
        figures = (
            ("last_success_timestamp_seconds", "When the last backup was complete.", self.moment),
            ("size_bytes", "The size of its archive.", self.size),
            ("duration_seconds", "How long it took.", self.seconds),
        )
        return "".join(
            f"# HELP vitalstream_backup_{name} {about}\n"
            f"# TYPE vitalstream_backup_{name} gauge\n"
            f'vitalstream_backup_{name}{{stack="{self.stack}"}} {value:.3f}\n'
            for name, about, value in figures
        )


def leave(hand: Hand, mark: Mark) -> None:
    """In one step: node_exporter sees the old file or the new one."""
    folder, fresh = f"{lock.ROOT}/{TEXTFILE}", f".{FILE}"
    text = mark.text().encode()
    entry = tarfile.TarInfo(fresh)
    entry.size, entry.mode = len(text), 0o444
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(text))
    hand.write(folder, [archive.getvalue()])
    hand.run('mv -f "$1" "$2"', f"{folder}/{fresh}", f"{folder}/{FILE}")
