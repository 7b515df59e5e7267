"""Exporter container, made from its catalog entry and its module's `spec`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import pulumi

from components.catalog.integration import Exporter
from components.catalog.replicas import MAIN
from components.docker.container import Network
from components.docker.service import Service, ServiceSpec
from components.settings.settings import Settings


def spec_of(exporter: Exporter) -> Callable[[Settings, str], ServiceSpec]:
    """Return `spec` of the module that is named like the exporter's job."""
    module = importlib.import_module(f"components.exporters.{exporter.job}")
    found: Callable[[Settings, str], ServiceSpec] = module.spec
    return found


class ExporterService(Service):
    """One exporter, in the networks of its target; `part` is the host or the server that it is of,
    where there are several.
    """

    def __init__(
        self,
        exporter: Exporter,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
        *,
        part: str = MAIN,
    ) -> None:
        super().__init__(
            "vitalstream:exporters:ExporterService",
            settings,
            spec_of(exporter)(settings, part),
            networks,
            opts,
        )
