"""What people reach, asked from outside the containers' network, by blackbox_exporter."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

EXPORTER: Final = Exporter(
    "blackbox-exporter",
    "probe",
    9115,
    # No digest: none was confirmed in two places (docs/decisions/0003-image-digests.md).
    Image("prom/blackbox-exporter", "v0.28.0", None, 65534),
    of_application=False,
    goes_out=True,
)
INTEGRATION: Final = Integration(
    kind="probes",
    service="probe",
    rule_files=("probes.yml",),
    dashboards=("probes",),
    down_alert="ProbeFailed",
    exporter=EXPORTER,
)
