"""All exporters, derived from the kinds of services."""

from __future__ import annotations

from typing import Final

from components.catalog.integration import Exporter
from components.catalog.integrations import INTEGRATIONS, host

NODE: Final = host.EXPORTER
EXPORTERS: Final[tuple[Exporter, ...]] = tuple(
    found.exporter for found in INTEGRATIONS if found.exporter
)
