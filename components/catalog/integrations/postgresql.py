"""PostgreSQL, by postgres_exporter."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

EXPORTER: Final = Exporter(
    "postgres-exporter",
    "postgres",
    9187,
    Image(
        "prometheuscommunity/postgres-exporter",
        "v0.20.1",
        "sha256:ac5ec343104fae0e2d84a27bb8d69b38430a11910c5382cad85d478d2bab713e",
        65534,
    ),
)
INTEGRATION: Final = Integration(
    kind="postgresql",
    service="database",
    rule_files=("postgresql.yml",),
    dashboards=("postgresql",),
    down_alert="PostgreSQLDown",
    destination="database",
    exporter=EXPORTER,
    default=True,
    has_servers=True,
    several_servers=True,
)
