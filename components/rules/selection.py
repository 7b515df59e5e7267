"""Which rule files a stack loads, by what it monitors.

A rule about what is not monitored would fire for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from components.catalog.monitored import Monitored

# Every stack monitors the monitoring itself. The age of backups comes through node_exporter.
_NEEDS: Final[Mapping[str, Monitored]] = {
    "backend.yml": "backend",
    "slo.yml": "backend",
    "postgresql.yml": "postgresql",
    "redis.yml": "redis",
    "host.yml": "host",
    "backup.yml": "host",
}
THANOS_FILE: Final = "thanos.yml"
REMOTE_WRITE_FILE: Final = "remote_write.yml"


def select(
    files: Iterable[str],
    monitored: Sequence[Monitored],
    *,
    thanos: bool = False,
    remote_write: bool = False,
) -> list[str]:
    """Return the names of the rule files that need what is there, or nothing of the kind."""
    without = {
        *(file for file, kind in _NEEDS.items() if kind not in monitored),
        *(() if thanos else (THANOS_FILE,)),
        *(() if remote_write else (REMOTE_WRITE_FILE,)),
    }
    return [name for name in files if name not in without]
