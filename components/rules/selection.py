"""Which rule files a stack loads, by what it monitors.

A rule about what is not monitored would fire for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from components.catalog.integrations import INTEGRATIONS
from components.catalog.monitored import Monitored

# Every stack monitors the monitoring itself: a file that is not named here is loaded anyway.
_NEEDS: Final[Mapping[str, Monitored]] = {
    file: found.kind for found in INTEGRATIONS for file in found.rule_files
}
THANOS_FILE: Final = "thanos.yml"
REMOTE_WRITE_FILE: Final = "remote_write.yml"
SCRAPE_JOBS_FILE: Final = "scrape_jobs.yml"


def select(
    files: Iterable[str],
    monitored: Sequence[Monitored],
    *,
    thanos: bool = False,
    remote_write: bool = False,
    scrape_jobs: bool = False,
) -> list[str]:
    """Return the names of the rule files that need what is there, or nothing of the kind."""
    without = {
        *(file for file, kind in _NEEDS.items() if kind not in monitored),
        *(() if thanos else (THANOS_FILE,)),
        *(() if remote_write else (REMOTE_WRITE_FILE,)),
        *(() if scrape_jobs else (SCRAPE_JOBS_FILE,)),
    }
    return [name for name in files if name not in without]
