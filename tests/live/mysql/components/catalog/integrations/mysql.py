"""MySQL and MariaDB, by mysqld_exporter."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

EXPORTER: Final = Exporter(
    "mysqld-exporter",
    "mysql",
    9104,
    # No digest: none was confirmed in two places (docs/decisions/0003-image-digests.md).
    Image("prom/mysqld-exporter", "v0.17.2", None, 65534),
)
INTEGRATION: Final = Integration(
    kind="mysql",
    service="mysql",
    rule_files=("mysql.yml",),
    dashboards=("mysql",),
    down_alert="MySQLDown",
    destination="database",
    exporter=EXPORTER,
    has_servers=True,
)
