"""Data that a backup keeps of each service, and how it stays consistent while it is copied."""

from __future__ import annotations

from dataclasses import dataclass

from components.alertmanager import alertmanager
from components.catalog.images import IMAGES
from components.common.quantities import duration_seconds
from components.grafana import grafana
from components.prometheus import prometheus

# A block of Prometheus is named by a ULID.
BLOCK = "?" * 26


@dataclass(frozen=True)
class Source:
    """Shell patterns below `data_dir`, separated by spaces; other files are not backed up.

    `copied` may change at any moment. `linked` are never written again once they are there: a hard
    link keeps them, whatever becomes of the original. `logs` are folders of which only the file
    with the highest name is still written to. `written_every`: the service writes what is copied
    that often, in seconds, and not when it changes. `version` is a command of its image that prints
    its version.
    """

    service: str
    data_dir: str
    version: str
    copied: str = ""
    linked: str = ""
    logs: str = ""
    written_every: float = 0

    @property
    def uid(self) -> int:
        return IMAGES[self.service].uid


DATABASE = "grafana.db"
# Left out on purpose: `lock` and `queries.active` of Prometheus, and what Grafana makes anew
# (rendered pictures, search indexes).
SOURCES: tuple[Source, ...] = (
    Source(
        "prometheus",
        prometheus.DATA_DIR,
        "prometheus --version",
        # The sidecar's list of what is in the object storage: without it, blocks that were merged
        # there would be uploaded once more.
        copied="thanos.shipper.json",
        linked=BLOCK,
        logs="wal wbl chunks_head",
    ),
    Source(
        "grafana",
        grafana.DATA_DIR,
        "grafana -v 2>/dev/null || grafana-server -v",
        # With its journal, if there is one: together they are the database of that moment.
        copied=f"{DATABASE} {DATABASE}-journal {DATABASE}-wal {DATABASE}-shm",
        linked="plugins",
    ),
    # Last, so that it has had time to write.
    Source(
        "alertmanager",
        alertmanager.DATA_DIR,
        "alertmanager --version",
        copied="silences nflog",
        written_every=duration_seconds(alertmanager.SNAPSHOT_INTERVAL),
    ),
)
