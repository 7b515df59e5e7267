"""Host monitoring by node_exporter."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

EXPORTER: Final = Exporter(
    "node-exporter",
    "node",
    9100,
    Image(
        "prom/node-exporter",
        "v1.12.1",
        "sha256:1b4e4438faca4dd7e001dd445d161a4a2091b0fededa84093b3a8dfeae1f1be0",
        65534,
    ),
    of_application=False,
)
INTEGRATION: Final = Integration(
    kind="host",
    service="host",
    # The age of backups comes through node_exporter.
    rule_files=("host.yml", "backup.yml"),
    dashboards=("host",),
    exporter=EXPORTER,
    default=True,
)
