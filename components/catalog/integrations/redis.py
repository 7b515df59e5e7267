"""Redis, by redis_exporter."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

EXPORTER: Final = Exporter(
    "redis-exporter",
    "redis",
    9121,
    # Not the plain tag: it is FROM scratch, with no shell for a health check.
    Image(
        "oliver006/redis_exporter",
        "v1.93.0-alpine",
        "sha256:93831cd4d5d67687de67c9d5221b14312fea580af8d157583ed9d4459bf2dd70",
        59000,
    ),
)
INTEGRATION: Final = Integration(
    kind="redis",
    service="cache",
    rule_files=("redis.yml", "redis_failover.yml"),
    dashboards=("redis",),
    destination="database",
    down_alert="RedisDown",
    exporter=EXPORTER,
    default=True,
    has_servers=True,
    several_servers=True,
)
