"""All services, with their default ports and resource limits."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.balancer import SERVICE as BALANCER
from components.catalog.exporters import EXPORTERS
from components.catalog.thanos import (
    COMPACTOR,
    QUERIER,
    SIDECAR,
    STORE,
)


@dataclass(frozen=True)
class Limit:
    """Memory as Docker writes it (`512m`), CPUs as a number of cores."""

    memory: str
    cpus: float


@dataclass(frozen=True)
class Service:
    limit: Limit
    port: int | None = None


# Usage measured under the demo's traffic, plus a margin: docs/reference/performance.md.
SERVICES: dict[str, Service] = {
    "prometheus": Service(Limit("1g", 1), 9090),
    "grafana": Service(Limit("512m", 1), 3000),
    "alertmanager": Service(Limit("128m", 0.5), 9093),
    **{
        exporter.service: Service(Limit(exporter.memory, exporter.cpus), exporter.port)
        for exporter in EXPORTERS
    },
    BALANCER: Service(Limit("64m", 0.25)),
    SIDECAR: Service(Limit("256m", 0.5)),
    STORE: Service(Limit("1g", 1)),
    COMPACTOR: Service(Limit("1g", 1)),
    QUERIER: Service(Limit("512m", 1)),
    "demo-backend": Service(Limit("192m", 0.5)),
    "demo-traffic": Service(Limit("128m", 0.25)),
    "demo-postgres": Service(Limit("256m", 0.5)),
    "demo-redis": Service(Limit("64m", 0.25)),
}

DEFAULT_PORTS: dict[str, int] = {
    name: service.port for name, service in SERVICES.items() if service.port is not None
}
