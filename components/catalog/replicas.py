"""What the replicas of a service are called: the first keeps the service's name and its data."""

from __future__ import annotations

MOST = {"prometheus": 4, "alertmanager": 7, "grafana": 4}
"""The services that can have several, and how many of each."""
NODE_EXPORTER = "node-exporter"
MAIN = ""
"""The host that `dockerHost` is: where everything runs that is not placed."""
# How far the default ports of one replica are from those of the next.
_PORT_STEP = 100


def names(service: str, count: int) -> tuple[str, ...]:
    """`prometheus`, `prometheus-2`, ..."""
    return (service, *(f"{service}-{number}" for number in range(2, count + 1)))


def base(name: str) -> str:
    """The service that `name` is one of: `prometheus` for `prometheus-2`, else `name` itself."""
    if name.startswith(f"{NODE_EXPORTER}-"):
        return NODE_EXPORTER
    return _BASES.get(name, name)


def node_exporter(host: str) -> str:
    """That of a host: each has one, and only the first has no name."""
    return f"{NODE_EXPORTER}-{host}" if host else NODE_EXPORTER


def default_port(name: str, first: int) -> int:
    """Where one is published unless the settings say else; `first` is the service's own port."""
    service = base(name)
    return first + _PORT_STEP * names(service, MOST.get(service, 1)).index(name)


_BASES = {name: service for service, most in MOST.items() for name in names(service, most)}
_BASES |= dict.fromkeys(names("thanos-sidecar", MOST["prometheus"]), "thanos-sidecar")
# Several Grafanas are published as one.
PUBLISHED = frozenset(
    name for name, service in _BASES.items() if service in ("prometheus", "alertmanager")
)
"""The replicas that can have a port of their own."""
