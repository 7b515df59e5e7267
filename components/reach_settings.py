"""Where and how the services are reached, by people and by each other: a part of `Settings`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SecretStr, StrictBool, ValidationInfo, field_validator

from components import certificates, replica_names, tls_settings
from components.catalog import DEFAULT_PORTS
from components.exporters import EXPORTERS
from components.field_types import HostName, IpAddress, Login, Port, PublicUrl, WebPassword
from components.frozen import known_service
from components.replica_settings import ReplicaSettings
from components.setting_faults import PartFault, tell

PublishedService = Annotated[
    str, known_service(frozenset(DEFAULT_PORTS), "a published port", replica_names.PUBLISHED)
]
LinkedService = Annotated[
    str, known_service(frozenset({"alertmanager", "grafana", "prometheus"}), "pages of its own")
]


class ReachSettings(ReplicaSettings):
    bind_address: IpAddress = "127.0.0.1"
    # Checked also by default: a replica can have the port of another service.
    ports: dict[PublishedService, Port] = Field(default={}, validate_default=True)
    publish_exporters: StrictBool = False
    public_host: HostName = ""
    public_urls: dict[LinkedService, PublicUrl] = {}

    tls: StrictBool = False
    # Checked also by default: with `tls` they are required.
    tls_ca: str = Field(default="", validate_default=True)
    tls_certificate: str = Field(default="", validate_default=True)
    tls_key: SecretStr = SecretStr("")
    web_user: Login = "vitalstream"
    web_password: WebPassword = SecretStr("")

    @field_validator("ports")
    @classmethod
    def _each_port_once(cls, overrides: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if not {"prometheus", "alertmanager", "grafana"} <= info.data.keys():
            return overrides
        ports = _default_ports(info.data)
        tell(
            [
                PartFault(
                    (name,),
                    "is the port of a replica that this stack does not have: "
                    f"{replica_names.base(name)}.replicas says how many there are",
                    f"pulumi config rm --path 'ports.{name}' --stack {info.data['stack']}",
                )
                for name in overrides
                if name not in ports
            ]
        )
        ports |= overrides
        for port, count in Counter(ports.values()).items():
            if count > 1:
                users = [service for service, used in ports.items() if used == port]
                raise ValueError(f"has port {port} twice, for {' and '.join(users)}")
        return ports

    @field_validator("tls_ca", "tls_certificate", "tls_key", "web_password")
    @classmethod
    def _can_be_served(cls, value: str | SecretStr, info: ValidationInfo) -> str | SecretStr:
        tell(tls_settings.faults(str(info.field_name), value, info.data))
        return value

    @property
    def published(self) -> dict[str, int]:
        """The services that are reached from outside Docker, and at which port."""
        kept_in = () if self.publish_exporters else {exporter.service for exporter in EXPORTERS}
        return {name: port for name, port in self.ports.items() if name not in kept_in}

    def url(self, service: str) -> str:
        """Where a person reaches a published service: used in links of messages and outputs."""
        if service in self.public_urls:
            return self.public_urls[service]
        return self._published(service, self.public_host or self.local_host)

    def local_url(self, service: str) -> str:
        """Where this program and its tools reach a published service.

        A certificate of a public authority has no address in it: then it is the public host.
        """
        host = self.local_host
        if self.tls and not certificates.covers(self.tls_certificate, host):
            host = self.public_host
        return self._published(service, host)

    def server_name(self, service: str) -> str:
        """The name that clients in the stack's own network ask the service's certificate for."""
        if certificates.covers(self.tls_certificate, service):
            return service
        return self.public_host or self.local_host.strip("[]")

    def _published(self, service: str, host: str) -> str:
        return f"{self.scheme}://{host}:{self.published[service]}"

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def local_host(self) -> str:
        """Where this program reaches the published ports."""
        return tls_settings.local_host(self.bind_address)


def _default_ports(known: Mapping[str, Any]) -> dict[str, int]:
    """Of every service. Several Grafanas have one, in front of them."""
    counts = {service: known[service].replicas for service in ("prometheus", "alertmanager")}
    return {
        name: replica_names.default_port(name, first)
        for service, first in DEFAULT_PORTS.items()
        for name in replica_names.names(service, counts.get(service, 1))
    }
