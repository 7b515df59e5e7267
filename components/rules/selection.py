"""Which rule files a stack loads, by what it monitors.

A rule about what is not monitored would fire for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def select(shipped: Mapping[str, str], monitored: Sequence[Monitored]) -> dict[str, str]:
    """Return the rule files by name that need what is monitored, or nothing of the kind."""
    return {
        name: text
        for name, text in shipped.items()
        if name not in _NEEDS or _NEEDS[name] in monitored
    }
