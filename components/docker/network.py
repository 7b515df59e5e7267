"""Who can reach whom on a host: a star around Prometheus, and the application's networks.

Each service shares a network with Prometheus and with nobody else, so that what breaks into one
service finds no way to the next. An exporter has no way out either, unless its port is published
or what it looks at is in no network of Docker's. Between hosts there are published ports alone.
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

# Published, and Alertmanager has to get out to Slack and the mail server.
OPEN = ("alertmanager", "grafana")


class StackNetworks(pulumi.ComponentResource):
    """The networks of each service on a host, by `hub`, `of` and `of_exporter`."""

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
        """Prometheus' own: one with each service, and those of the application."""
        return [*self._own.values(), *self._thanos, *self._application]

    def of(self, service: str) -> Sequence[Network]:
        """What a service shares with Prometheus, and Grafana with the querier too."""
        return [
            self._own[replicas.base(service)],
            *(self._to_querier if service == "grafana" else []),
        ]

    def of_thanos(self, service: str) -> Sequence[Network]:
        """One network of all its parts and Prometheus; beyond it the querier has Grafana, and the
        others their way out to the object storage.
        """
        return [*self._thanos, *(self._to_querier if service == QUERIER else self._to_storage)]

    def of_alertmanager(self, name: str) -> Sequence[Network]:
        """With peers, also the network in which they find each other, at an address of its own."""
        own = self.of("alertmanager")
        return [*own, replace(self._gossip, ipv4=self._addresses[name])] if self._gossip else own

    @property
    def of_grafana(self) -> Sequence[Network]:
        """Its own, and that of the database it shares, if that is in one of Docker's."""
        return [*self.of("grafana"), *self._database]

    def of_exporter(self, exporter: Exporter) -> Sequence[Network]:
        """Its own, and the application's if it looks at the application."""
        own = self.of(exporter.service)
        return [*own, *self._application] if exporter.of_application else own

    def _open(self, settings: Settings) -> Sequence[str]:
        """On a host of its own a Prometheus may have nobody else's network to be published by."""
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
        return not published and (bool(self._application) or not exporter.of_application)

    def _bridge(
        self,
        settings: Settings,
        name: str,
        *,
        internal: bool,
        subnet: IPv4Network | None = None,
    ) -> Network:
        """With a `subnet`, its members can have addresses of their own choice."""
        if subnet is None and settings.network_pool:
            subnet = subnet_of(IPv4Network(settings.network_pool), name)
        bridge = docker.Network(
            f"{name}-{self._host}" if self._host else name,
            name=f"vitalstream-{settings.stack}-{name}",
            driver="bridge",
            internal=internal,
            # The gateway too: Docker tells it, and what is told and not written is a replacement.
            ipam_configs=[docker.NetworkIpamConfigArgs(subnet=str(subnet), gateway=str(subnet[1]))]
            if subnet
            else None,
            labels=[docker.NetworkLabelArgs(label="vitalstream.stack", value=settings.stack)],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return Network(bridge.name)
