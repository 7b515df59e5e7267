"""The backend, which exposes its own metrics."""

from __future__ import annotations

from typing import Final

from components.catalog.integration import Integration

INTEGRATION: Final = Integration(
    kind="backend",
    service="backend",
    rule_files=("backend.yml", "slo.yml"),
    dashboards=("api", "ecg"),
    down_alert="BackendDown",
    destination="backend",
    default=True,
)
