"""Checks of the Docker hosts before any resource changes.

A no-op resource that only runs checks: the engine checks its inputs in every preview, and a failed
check ends the preview with a clear message. Without it, a taken port or name would be Docker's own
error in the middle of an `up`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.catalog import balancer, thanos
from components.catalog.exporters import EXPORTERS
from components.catalog.replicas import MAIN
from components.catalog.services import SERVICES
from components.docker.container import container_name
from components.docker.engines import Engine, engines
from components.preflight.provider import PreflightProvider
from components.settings.settings import Settings

DEMO_PREFIX = "demo-"


class Preflight(Resource, module="vitalstream", name="Preflight"):
    """Fail a preview where a Docker host cannot run its part of the stack."""

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        left_out = {one.service for one in EXPORTERS if one not in settings.exporters}
        services = [
            name
            for service in SERVICES
            if (settings.demo or not service.startswith(DEMO_PREFIX))
            and service not in left_out
            and (settings.has_balancer or service != balancer.SERVICE)
            and (settings.thanos.on or service not in thanos.SERVICES)
            for name in settings.replicas(service)
        ]
        services += [name for name in settings.services if name not in services]
        first, *others = (_wanted(settings, engine, services) for engine in engines(settings))
        super().__init__(
            PreflightProvider(),
            "preflight",
            {"stack": settings.stack, **first, **({"others": others} if others else {})},
            opts,
        )


def _wanted(settings: Settings, engine: Engine, services: Iterable[str]) -> dict[str, Any]:
    """Return what must be available on one of the hosts."""
    host = engine.host
    here = [name for name in services if settings.host_of(name) == host]
    networks = {*(settings.hosts[host] if host else settings).application_networks}
    database = settings.grafana.database
    if settings.host_of("grafana") == host:
        networks.update(settings.grafana.networks)
        if database and database.network:
            networks.add(database.network)
    ports = {
        name: port for name, port in settings.published.items() if settings.host_of(name) == host
    }
    moved = {
        name: settings.bind_address_of(name)
        for name in ports
        if host or settings.bind_address_of(name) != settings.bind_address
    }
    gossip = {name: settings.gossip_port(name) for name in settings.gossip_peers if name in here}
    own_network = settings.gossip_addresses and settings.host_of("alertmanager") == host
    return {
        **engine.props,
        "bind_address": settings.bind_address,
        "ports": ports,
        "containers": [container_name(settings.stack, name) for name in here],
        "networks": sorted(networks),
        # An explicit setting is taken as intended.
        **(
            {"local_retention": settings.thanos.local_retention}
            if settings.thanos.on
            and host == MAIN
            and "local_retention" not in settings.thanos.model_fields_set
            else {}
        ),
        **({"bound_to": moved} if moved else {}),
        **({"gossip": gossip} if gossip else {}),
        **({"subnets": [str(settings.gossip_subnet)]} if own_network else {}),
        **({"network_pool": settings.network_pool} if settings.network_pool else {}),
    }
