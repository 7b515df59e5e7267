"""Networks of a host: a star around Prometheus, and the application's networks.

Each service shares a network with Prometheus and with no other service, so that an intruder in one
service cannot reach the next. An exporter has no route to the outside either, unless its port is
published or its target is in no Docker network. Hosts reach each other only by published ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

import pulumi
import pulumi_docker as docker

from components.catalog import replicas
from components.catalog.integration import Exporter
from components.catalog.networks import subnet_of
from components.catalog.replicas import MAIN
from components.catalog.thanos import QUERIER
from components.docker.container import Network
from components.settings.settings import Settings

# They are published, and Alertmanager needs a route to Slack and the mail server.
OPEN = ("alertmanager", "grafana")


class StackNetworks(pulumi.ComponentResource):
    """Networks of each service on a host, by `hub`, `of` and `of_exporter`."""

    def __init__(
        self,
        settings: Settings,
        opts: pulumi.ResourceOptions | None = None,
        host: str = MAIN,
    ) -> None:
        super().__init__(
            "vitalstream:network:StackNetworks", f"networks-{host}" if host else "networks", None,
            opts,
        )  # fmt: skip
        self._host = host
        self._gossip: Network | None = None
        self._addresses = settings.gossip_addresses
        database = settings.grafana.database
        self._database = [Network(database.network)] if database and database.network else []
        self._of_sources = [Network(name) for name in settings.grafana.networks]
        self.demo: Sequence[Network] = []
        if settings.demo and not host:
            self.demo = [self._bridge(settings, "demo", internal=True)]
        of_application = (
            settings.hosts[host].application_networks if host else settings.application_networks
        )
        named = [Network(name) for name in of_application]
        self._application = [*named, *self.demo]
        self._own = {
            **{
                service: self._bridge(settings, service, internal=False)
                for service in self._open(settings)
            },
            **{
                exporter.service: self._bridge(
                    settings, exporter.service, internal=self._stays_inside(settings, exporter)
                )
                for exporter in self._exporters(settings)
            },
        }
        if self._addresses and settings.host_of("alertmanager") == host:
            self._gossip = self._bridge(
                settings, "gossip", internal=True, subnet=settings.gossip_subnet
            )
        self._thanos: list[Network] = []
        self._to_storage: list[Network] = []
        self._to_querier: list[Network] = []
        if settings.thanos.on and not host:
            self._thanos = [self._bridge(settings, "thanos", internal=True)]
            self._to_querier = [self._bridge(settings, QUERIER, internal=True)]
        if settings.thanos.bucket and not host:
            self._to_storage = [self._bridge(settings, "thanos-storage", internal=False)]
        self.register_outputs({service: network.name for service, network in self._own.items()})

    @property
    def hub(self) -> Sequence[Network]:
        """Return Prometheus' networks: one with each service, and those of the application."""
        return [*self._own.values(), *self._thanos, *self._application]

    def of(self, service: str) -> Sequence[Network]:
        """Return the network that a service shares with Prometheus, and Grafana with the querier
        too.
        """
        return [
            self._own[replicas.base(service)],
            *(self._to_querier if service == "grafana" else []),
        ]

    def of_thanos(self, service: str) -> Sequence[Network]:
        """Return the network of all Thanos components and Prometheus.

        The querier also joins Grafana's network; the others also get a route to the object storage.
        """
        return [*self._thanos, *(self._to_querier if service == QUERIER else self._to_storage)]

    def of_alertmanager(self, name: str) -> Sequence[Network]:
        """Return its networks; with peers, also the gossip network, at a fixed address."""
        own = self.of("alertmanager")
        return [*own, replace(self._gossip, ipv4=self._addresses[name])] if self._gossip else own

    @property
    def of_grafana(self) -> Sequence[Network]:
        """Return its network, and those of its shared database and of `grafana.networks`."""
        return [*self.of("grafana"), *self._database, *self._of_sources]

    def of_exporter(self, exporter: Exporter) -> Sequence[Network]:
        """Return its network, and the application's if it monitors the application."""
        own = self.of(exporter.service)
        return [*own, *self._application] if exporter.of_application else own

    def _open(self, settings: Settings) -> Sequence[str]:
        """Return the services whose networks have a route to the outside.

        Prometheus is one of them on a host of its own, where no other network may publish it.
        """
        if not self._host:
            return OPEN
        there = {replicas.base(name) for name in settings.services_on(self._host)}
        return [service for service in (*OPEN, "prometheus") if service in there]

    def _exporters(self, settings: Settings) -> Sequence[Exporter]:
        if not self._host:
            return settings.exporters
        there = {replicas.base(name) for name in settings.services_on(self._host)}
        return [exporter for exporter in settings.exporters if exporter.service in there]

    def _stays_inside(self, settings: Settings, exporter: Exporter) -> bool:
        here = (
            name for name in settings.names_of(exporter) if settings.host_of(name) == self._host
        )
        published = any(name in settings.published for name in here)
        goes_out = published or exporter.goes_out or settings.asks_outside(exporter)
        return not goes_out and (bool(self._application) or not exporter.of_application)

    def _bridge(
        self,
        settings: Settings,
        name: str,
        *,
        internal: bool,
        subnet: IPv4Network | None = None,
    ) -> Network:
        """Create a bridge network; with a `subnet`, its members can have fixed addresses."""
        if subnet is None and settings.network_pool:
            subnet = subnet_of(IPv4Network(settings.network_pool), name)
        bridge = docker.Network(
            f"{name}-{self._host}" if self._host else name,
            name=f"vitalstream-{settings.stack}-{name}",
            driver="bridge",
            internal=internal,
            # The gateway too: Docker returns it, and leaving it out would be a replacement.
            ipam_configs=[docker.NetworkIpamConfigArgs(subnet=str(subnet), gateway=str(subnet[1]))]
            if subnet
            else None,
            labels=[docker.NetworkLabelArgs(label="vitalstream.stack", value=settings.stack)],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return Network(bridge.name)
