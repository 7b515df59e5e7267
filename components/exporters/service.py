"""An exporter's container, made from its facts and its module's `spec`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pulumi

from components.catalog import exporters as catalog
from components.catalog.exporters import Exporter
from components.catalog.replicas import MAIN
from components.docker.container import Network
from components.docker.service import Service, ServiceSpec
from components.exporters import node, postgres, redis
from components.settings.settings import Settings

SPECS: Final[Mapping[str, Callable[[Settings, str], ServiceSpec]]] = {
    catalog.NODE.service: node.spec,
    catalog.POSTGRES.service: postgres.spec,
    catalog.REDIS.service: redis.spec,
}


class ExporterService(Service):
    """One exporter, in the networks of what it monitors; `host` is where it runs."""

    def __init__(
        self,
        exporter: Exporter,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
        *,
        host: str = MAIN,
    ) -> None:
        super().__init__(
            "vitalstream:exporters:ExporterService",
            settings,
            SPECS[exporter.service](settings, host),
            networks,
            opts,
        )
