"""Ports, bind addresses, public URLs and TLS names of the services: a part of `Settings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StrictBool, ValidationInfo, field_validator

from components.catalog import replicas
from components.catalog.exporters import EXPORTERS
from components.catalog.replicas import MAIN
from components.catalog.services import DEFAULT_PORTS
from components.common import certificates
from components.common.model import known_service
from components.common.problems import Problem, raise_if_any
from components.settings import grafana as grafana_settings
from components.settings import hosts
from components.settings import tls as tls_settings
from components.settings.hosts import HostSettings
from components.settings.logins import Login
from components.settings.passwords import WebPassword
from components.settings.types import HostName, IpAddress, Port, PublicUrl

PublishedService = Annotated[
    str, known_service(frozenset(DEFAULT_PORTS), "a published port", replicas.PUBLISHED)
]
LinkedService = Annotated[
    str, known_service(frozenset({"alertmanager", "grafana", "prometheus"}), "pages of its own")
]


class ReachSettings(HostSettings):
    bind_address: IpAddress = "127.0.0.1"
    # Checked also by default: a replica can have the port of another service.
    ports: dict[PublishedService, Port] = Field(default={}, validate_default=True)
    publish_exporters: StrictBool = False
    public_host: HostName = ""
    public_urls: dict[LinkedService, PublicUrl] = {}

    # Checked also by default: between several hosts it is required, and with it the rest.
    tls: StrictBool = Field(default=False, validate_default=True)
    tls_ca: str = Field(default="", validate_default=True)
    tls_certificate: str = Field(default="", validate_default=True)
    tls_key: SecretStr = SecretStr("")
    web_user: Login = "vitalstream"
    web_password: WebPassword = SecretStr("")

    @field_validator("ports")
    @classmethod
    def _validate_ports(cls, overrides: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if not {"prometheus", "alertmanager", "grafana", "hosts", "placement"} <= info.data.keys():
            return overrides
        ports = _default_ports(info.data)
        raise_if_any(
            [
                Problem(
                    (name,),
                    "is the port of a replica that this stack does not have: "
                    f"{replicas.base(name)}.replicas says how many there are",
                    f"pulumi config rm --path 'ports.{name}' --stack {info.data['stack']}",
                )
                for name in overrides
                if name not in ports
            ]
        )
        ports |= overrides
        users: dict[tuple[str, int], list[str]] = defaultdict(list)
        for host, service, port in _bound(ports, info.data):
            users[host, port].append(service)
        for (_, port), services in users.items():
            if len(services) > 1:
                raise ValueError(f"has port {port} twice, for {' and '.join(services)}")
        return ports

    @field_validator("public_urls")
    @classmethod
    def _validate_public_urls(cls, urls: dict[str, str]) -> dict[str, str]:
        problem = "has a path: of the services only Grafana can be below one"
        found = [(name,) for name, url in urls.items() if name != "grafana" and urlsplit(url).path]
        raise_if_any([Problem(name, problem) for name in found])
        return urls

    @field_validator("tls")
    @classmethod
    def _validate_tls(cls, tls: bool, info: ValidationInfo) -> bool:
        if not tls and {"hosts", "host_address"} <= info.data.keys() and info.data["hosts"]:
            spread = HostSettings.model_construct(**info.data)
            if spread.stack == "prod":
                raise ValueError(
                    "is off, and hosts has other machines: what they say to each other would "
                    "pass the network in clear text"
                )
            if public := hosts.public_addresses(spread):
                raise ValueError(
                    f"is off, and {' and '.join(public)} is in no private network: what the hosts "
                    "say to each other would pass it in clear text"
                )
        return tls

    @field_validator("tls")
    @classmethod
    def _validate_anonymous_viewer(cls, tls: bool, info: ValidationInfo) -> bool:
        if {"grafana", "bind_address", "hosts", "placement", "host_address"} <= info.data.keys():
            address = cls.model_construct(**info.data).bind_address_of("grafana")
            grafana = info.data["grafana"]
            raise_if_any(list(grafana_settings.unsafe_viewer(grafana, address, tls=tls)))
        return tls

    @field_validator("tls_ca", "tls_certificate", "tls_key", "web_password")
    @classmethod
    def _validate_tls_file(cls, value: str | SecretStr, info: ValidationInfo) -> str | SecretStr:
        raise_if_any(tls_settings.problems(str(info.field_name), value, info.data))
        return value

    @property
    def published(self) -> dict[str, int]:
        """Ports of the services that are published outside Docker."""
        exporters = {exporter.service for exporter in EXPORTERS}
        ports = {
            **self.ports,
            **{
                name: self.ports[replicas.NODE_EXPORTER]
                for name in self.services
                if replicas.base(name) == replicas.NODE_EXPORTER
            },
        }
        in_clear_text = {one.service for one in EXPORTERS if self.tls and not one.serves_tls}
        return {
            name: port
            for name, port in ports.items()
            if replicas.base(name) not in exporters
            or (self.publish_exporters and name not in in_clear_text)
            or self.reached_across_hosts(name)
        }

    def bind_address_of(self, service: str) -> str:
        """Return the host address on which a service is published.

        One that another host asks has to be where that can reach it; the others stay where
        `bindAddress` says.
        """
        if host := self.hosts.get(self.host_of(service)):
            return host.bind_address or host.address
        if tls_settings.is_loopback(self.bind_address) and self.reached_across_hosts(service):
            return self.host_address or self.bind_address
        return self.bind_address

    def reach(self, service: str, from_: str) -> str:
        """Return the host:port at which one service connects to another: its name in a Docker
        network or, from another host, its published address.
        """
        if self.host_of(service) == self.host_of(from_):
            return f"{service}:{DEFAULT_PORTS[replicas.base(service)]}"
        return f"{self.url_address(service)}:{self.published[service]}"

    def url(self, service: str) -> str:
        """Return a published service's URL for people: for links in messages and outputs."""
        if service in self.public_urls:
            return self.public_urls[service]
        return self._published(service, self._public_host(service) or self._local_host(service))

    def local_url(self, service: str) -> str:
        """Return a published service's URL for this program and its tools.

        It is the public host where a public authority's certificate has no IP address.
        """
        host = self._local_host(service)
        if self.tls and not certificates.covers(self.tls_certificate, host):
            host = self._public_host(service)
        path = self.grafana_path if service == "grafana" else ""
        return self._published(service, host) + path

    @property
    def grafana_path(self) -> str:
        """Path below which Grafana serves, such as `/grafana`; empty at the root of its site."""
        return urlsplit(self.public_urls.get("grafana", "")).path

    def server_name(self, service: str) -> str:
        """Return the server name that clients in the stack's network expect in the certificate."""
        if certificates.covers(self.tls_certificate, service):
            return service
        return self.public_host or self.local_host.strip("[]")

    def _public_host(self, service: str) -> str:
        host = self.hosts.get(self.host_of(service))
        return host.public_host if host else self.public_host

    def _local_host(self, service: str) -> str:
        if self.host_of(service) != MAIN:
            return self.url_address(service)
        return tls_settings.local_host(self.bind_address_of(service))

    def _published(self, service: str, host: str) -> str:
        return f"{self.scheme}://{host}:{self.published[service]}"

    @property
    def served_certificates(self) -> dict[str, str]:
        """CA's and services' certificate in PEM, by setting; empty without TLS."""
        if not self.tls:
            return {}
        return {"tlsCertificate": self.tls_certificate, "tlsCa": self.tls_ca}

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def local_host(self) -> str:
        """Host at which this program connects to the published ports."""
        return tls_settings.local_host(self.bind_address)


def _bound(ports: Mapping[str, int], known: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield host, service and port of every published port."""
    spread = HostSettings.model_construct(**known)
    for name, port in ports.items():
        yield spread.host_of(name), name, port
    for host in spread.hosts:
        name = replicas.node_exporter(host)
        yield host, name, ports[replicas.NODE_EXPORTER]
    for name in spread.gossip_peers:
        yield spread.host_of(name), f"the gossip of {name}", spread.gossip_port(name)


def _default_ports(known: Mapping[str, Any]) -> dict[str, int]:
    """Return the default port of every service; several Grafanas share their balancer's."""
    counts = {service: known[service].replicas for service in ("prometheus", "alertmanager")}
    return {
        name: replicas.default_port(name, first)
        for service, first in DEFAULT_PORTS.items()
        for name in replicas.names(service, counts.get(service, 1))
    }
