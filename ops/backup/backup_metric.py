"""Metric of the last backup in node_exporter's text files, for the alert on its age."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

from components.exporters.node import TEXTFILE
from ops.backup import lock
from ops.backup.lock import VolumeHelper

FILE = "backup.prom"


@dataclass(frozen=True)
class BackupMetric:
    """Last backup: `moment` of completion in seconds since 1970, size in bytes, duration."""

    stack: str
    moment: float
    size: int
    seconds: float

    def text(self) -> str:
        """Return Prometheus' text format."""
        figures = (
            ("last_success_timestamp_seconds", "Time of the last complete backup.", self.moment),
            ("size_bytes", "Size of the archive of the last backup.", self.size),
            ("duration_seconds", "Duration of the last backup.", self.seconds),
        )
        return "".join(
            f"# HELP vitalstream_backup_{name} {about}\n"
            f"# TYPE vitalstream_backup_{name} gauge\n"
            f'vitalstream_backup_{name}{{stack="{self.stack}"}} {value:.3f}\n'
            for name, about, value in figures
        )


def leave(helper: VolumeHelper, mark: BackupMetric) -> None:
    """Replace the file atomically: node_exporter reads the old one or the new one."""
    folder, fresh = f"{lock.ROOT}/{TEXTFILE}", f".{FILE}"
    text = mark.text().encode()
    entry = tarfile.TarInfo(fresh)
    entry.size, entry.mode = len(text), 0o444
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(text))
    helper.write(folder, [archive.getvalue()])
    helper.run('mv -f "$1" "$2"', f"{folder}/{fresh}", f"{folder}/{FILE}")
