"""An exporter's container, made from its `Exporter`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from components.exporters.exporter import Exporter
from components.service import Service

if TYPE_CHECKING:
    from components.container import Network
    from components.settings import Settings


class ExporterService(Service):
    """One exporter, in the networks of what it looks at."""

    def __init__(
        self,
        exporter: Exporter,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:exporters:ExporterService",
            settings,
            exporter.spec(settings),
            networks,
            opts,
        )
