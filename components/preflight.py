"""Looks at the Docker host before anything is touched.

A resource without a life of its own: the engine checks its inputs in every preview, and a failed
check ends the preview in plain words. Without it, a taken port or name is Docker's own error in
the middle of an `up`.
"""

from __future__ import annotations

import pulumi
from pulumi.dynamic import Resource

from components import grafana_balancer
from components.catalog import SERVICES
from components.container import container_name
from components.exporters import EXPORTERS
from components.grafana_balancer import has_balancer
from components.preflight_provider import PreflightProvider
from components.settings import Settings
from components.thanos import members

DEMO_PREFIX = "demo-"


class Preflight(Resource, module="vitalstream", name="Preflight"):
    """Fails a preview where the Docker host cannot take the stack."""

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        left_out = {one.service for one in EXPORTERS if one not in settings.exporters}
        services = [
            name
            for service in SERVICES
            if (settings.demo or not service.startswith(DEMO_PREFIX))
            and service not in left_out
            and (has_balancer(settings) or service != grafana_balancer.SERVICE)
            and (settings.thanos.on or service not in members.SERVICES)
            for name in settings.replicas(service)
        ]
        networks = {*settings.application_networks}
        if settings.grafana.database and settings.grafana.database.network:
            networks.add(settings.grafana.database.network)
        super().__init__(
            PreflightProvider(),
            "preflight",
            {
                "docker_host": settings.docker_host,
                "stack": settings.stack,
                "bind_address": settings.bind_address,
                "ports": settings.published,
                "containers": [container_name(settings.stack, name) for name in services],
                "networks": sorted(networks),
                # Who sets it has thought of it.
                **(
                    {"local_retention": settings.thanos.local_retention}
                    if settings.thanos.on
                    and "local_retention" not in settings.thanos.model_fields_set
                    else {}
                ),
                **({"subnets": [str(settings.gossip_subnet)]} if settings.gossip_addresses else {}),
            },
            opts,
        )
