"""All Thanos components, each in its own container."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.catalog import thanos
from components.docker.network import StackNetworks
from components.docker.service import Service, ServiceSpec, pulled_image
from components.prometheus.prometheus import Prometheus
from components.settings.settings import Settings
from components.thanos import (
    compactor,
    object_storage,
    querier,
    sidecar,
    store,
)


class GlobalView(pulumi.ComponentResource):
    """Sidecar of each Prometheus, and one store gateway, compactor and querier."""

    def __init__(
        self,
        settings: Settings,
        prometheuses: Sequence[Prometheus],
        networks: StackNetworks,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:thanos:GlobalView", thanos.IMAGE, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        image = pulled_image(thanos.IMAGE, settings.image(thanos.IMAGE), child)
        bucket = object_storage.volume(settings, child)

        def make(kind: str, spec: ServiceSpec, after: Sequence[pulumi.Resource]) -> None:
            Service(
                f"vitalstream:thanos:{kind}",
                settings,
                spec,
                networks.of_thanos(spec.container.service),
                child,
                image=image,
                after=[*bucket, *after],
            )

        beside = zip(settings.thanos_sidecars.items(), prometheuses, strict=True)
        for (name, server), prometheus in beside:
            # A sidecar that starts before its Prometheus retries only after half a minute.
            make("Sidecar", sidecar.spec(settings, name, server), [prometheus.container])
        make("Store", store.spec(settings), [])
        make("Compactor", compactor.spec(settings), [])
        make("Querier", querier.spec(settings), [])
        self.register_outputs({})
