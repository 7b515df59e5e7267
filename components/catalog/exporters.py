"""Every exporter, by the kinds of services that there are."""

from __future__ import annotations

from typing import Final

from components.catalog.integration import Exporter
from components.catalog.integrations import INTEGRATIONS, host

NODE: Final = host.EXPORTER
EXPORTERS: Final[tuple[Exporter, ...]] = tuple(
    found.exporter for found in INTEGRATIONS if found.exporter
)
