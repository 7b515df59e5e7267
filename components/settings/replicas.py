"""Replica counts of the services and what replicas share: a part of `Settings`."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from components.catalog import replicas as replica_names
from components.catalog.replicas import MOST
from components.common.model import Frozen
from components.common.problems import raise_if_any
from components.settings import grafana as grafana_settings
from components.settings.grafana import GrafanaSettings
from components.settings.types import number

# One stack's part of it is a /28, chosen by the stack's name.
GOSSIP_RANGE = ipaddress.IPv4Network("10.216.0.0/16")
GOSSIP_PREFIX = 28
# .1 is Docker's own, the gateway.
FIRST_PEER = 2


def _subnet(text: str) -> str:
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError("is not an IPv4 network, such as 10.216.4.16/28") from None
    if found.num_addresses < MOST["alertmanager"] + FIRST_PEER + 1:
        raise ValueError(f"has too few addresses: a /{GOSSIP_PREFIX} has enough")
    if not found.is_private:
        raise ValueError("is not a private network, such as 10.216.4.16/28")
    return str(found)


Prometheuses = Annotated[int, BeforeValidator(number), Field(ge=1, le=MOST["prometheus"])]
Alertmanagers = Annotated[int, BeforeValidator(number), Field(ge=1, le=MOST["alertmanager"])]
Subnet = Annotated[str, AfterValidator(lambda text: _subnet(text) if text else text)]


class PrometheusSettings(Frozen):
    replicas: Prometheuses = 1


class AlertmanagerSettings(Frozen):
    replicas: Alertmanagers = 1
    gossip_subnet: Subnet = ""


class ReplicaSettings(Frozen):
    """`stack` is here because the addresses of Alertmanager's peers come from it."""

    stack: str

    prometheus: PrometheusSettings = PrometheusSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    grafana: GrafanaSettings = GrafanaSettings()

    @field_validator("grafana")
    @classmethod
    def _validate_grafana(cls, grafana: GrafanaSettings) -> GrafanaSettings:
        raise_if_any(list(grafana_settings.problems(grafana)))
        return grafana

    def replicas(self, service: str) -> tuple[str, ...]:
        """Return the names of a service's replicas; mostly the service's own name alone."""
        counts = {
            "prometheus": self.prometheus.replicas,
            "alertmanager": self.alertmanager.replicas,
            "grafana": self.grafana.replicas,
            "thanos-sidecar": self.prometheus.replicas,
        }
        return replica_names.names(service, counts.get(service, 1))

    @property
    def has_balancer(self) -> bool:
        """Return whether several Grafanas share one address."""
        return self.grafana.replicas > 1

    @property
    def thanos_sidecars(self) -> dict[str, str]:
        """Map each Thanos sidecar to its Prometheus."""
        pairs = zip(self.replicas("thanos-sidecar"), self.replicas("prometheus"), strict=True)
        return dict(pairs)

    @property
    def gossip_subnet(self) -> ipaddress.IPv4Network:
        """Subnet of Alertmanager's peers, whose addresses outlive a container."""
        if self.alertmanager.gossip_subnet:
            return ipaddress.IPv4Network(self.alertmanager.gossip_subnet)
        count = 2 ** (GOSSIP_PREFIX - GOSSIP_RANGE.prefixlen)
        chosen = int.from_bytes(hashlib.sha256(self.stack.encode()).digest()[:4]) % count
        return ipaddress.IPv4Network(
            (int(GOSSIP_RANGE.network_address) + chosen * 2 ** (32 - GOSSIP_PREFIX), GOSSIP_PREFIX)
        )

    @property
    def gossip_addresses(self) -> dict[str, str]:
        """Gossip address of each Alertmanager; empty for a single one."""
        peers = self.replicas("alertmanager")
        if len(peers) == 1:
            return {}
        return {name: str(self.gossip_subnet[FIRST_PEER + i]) for i, name in enumerate(peers)}
