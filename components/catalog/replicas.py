"""Names of a service's replicas: the first keeps the service's name and its data."""

from __future__ import annotations

MOST = {"prometheus": 4, "alertmanager": 7, "grafana": 4}
"""The services that can have several, and how many of each."""
NODE_EXPORTER = "node-exporter"
MAIN = ""
"""Name of the host at `dockerHost`, where everything runs that `placement` does not move."""
# Distance between the default ports of two replicas.
_PORT_STEP = 100


def names(service: str, count: int) -> tuple[str, ...]:
    """Return `prometheus`, `prometheus-2`, ..."""
    return (service, *(f"{service}-{number}" for number in range(2, count + 1)))


def base(name: str) -> str:
    """Return the service of a replica: `prometheus` for `prometheus-2`, else `name` itself."""
    if name.startswith(f"{NODE_EXPORTER}-"):
        return NODE_EXPORTER
    return _BASES.get(name, name)


def node_exporter(host: str) -> str:
    """Return the exporter of a host: each host has one, and only the first has no suffix."""
    return f"{NODE_EXPORTER}-{host}" if host else NODE_EXPORTER


def default_port(name: str, first: int) -> int:
    """Return a replica's default published port; `first` is the service's own port."""
    service = base(name)
    return first + _PORT_STEP * names(service, MOST.get(service, 1)).index(name)


_BASES = {name: service for service, most in MOST.items() for name in names(service, most)}
_BASES |= dict.fromkeys(names("thanos-sidecar", MOST["prometheus"]), "thanos-sidecar")
# Several Grafanas are published by their balancer.
PUBLISHED = frozenset(
    name for name, service in _BASES.items() if service in ("prometheus", "alertmanager")
)
"""Replicas that can have a port of their own."""
