"""Names and subnets in a stack's networks: the Docker host's name, the parts of `networkPool`."""

from __future__ import annotations

from ipaddress import IPv4Network

HOST_NAME = "host.docker.internal"
"""The Docker host, as Docker Desktop calls it; other engines need an entry for the name."""
POOL_PREFIX = 24
SUBNET_PREFIX = 28
# A network's place never changes: another one would replace the network and its containers.
_PLACES = (
    "alertmanager", "grafana", "prometheus", "node-exporter", "postgres-exporter",
    "redis-exporter", "demo", "gossip", "thanos", "thanos-query", "thanos-storage",
    "blackbox-exporter", "cadvisor",
)  # fmt: skip


def subnet_of(pool: IPv4Network, name: str) -> IPv4Network | None:
    """Return the network's part of a /24; None where it has no place there."""
    if name not in _PLACES:
        return None
    return list(pool.subnets(new_prefix=SUBNET_PREFIX))[_PLACES.index(name)]
