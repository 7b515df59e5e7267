"""Hosts of a stack and the placement of services: a part of `Settings`."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from components.catalog import replicas as replica_names
from components.catalog.exporters import EXPORTERS
from components.catalog.integration import Exporter
from components.catalog.replicas import MAIN, NODE_EXPORTER
from components.common.model import Frozen
from components.common.problems import Problem, raise_if_any
from components.settings.replicas import ReplicaSettings
from components.settings.types import (
    DockerHost,
    HostName,
    IpAddress,
    NetworkName,
    OptionalIpAddress,
)

GOSSIP_PORT = 9094
_ENDS_AT_DOCKER = re.compile(r"tcp://(?:127\.|localhost\b|\[::1\])")
PLACED_EXPORTERS = tuple(
    found.service for found in EXPORTERS if found.service != NODE_EXPORTER and found.serves_tls
)


def _host_key(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", text):
        raise ValueError("is not a name of a host: lower-case letters, digits and `-`, 32 at most")
    return text


HostKey = Annotated[str, AfterValidator(_host_key)]


class Host(Frozen):
    """A machine with a Docker Engine of its own. `address` is where the other machines reach it,
    `bind_address` the interface on which that arrives, if it is another; `cert_path` the folder of
    the client's ca.pem, cert.pem and key.pem, as DOCKER_CERT_PATH names one to the Docker CLI.
    """

    docker: DockerHost
    address: IpAddress
    bind_address: IpAddress | None = None
    cert_path: str = ""
    public_host: HostName = ""
    application_networks: tuple[NetworkName, ...] = ()


class HostSettings(ReplicaSettings):
    hosts: dict[HostKey, Host] = {}
    placement: dict[str, str] = {}
    # Checked also by default: it is required as soon as another host asks something of this one.
    host_address: OptionalIpAddress = Field(default="", validate_default=True)

    @field_validator("hosts")
    @classmethod
    def _validate_hosts(cls, hosts: dict[str, Host]) -> dict[str, Host]:
        raise_if_any(list(_host_problems(hosts)))
        return hosts

    @field_validator("placement")
    @classmethod
    def _validate_placement(cls, placement: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if {"prometheus", "alertmanager", "grafana", "hosts"} <= info.data.keys():
            raise_if_any(list(_placement_problems(placement, info.data)))
        return placement

    @field_validator("host_address")
    @classmethod
    def _validate_host_address(cls, address: str, info: ValidationInfo) -> str:
        if not {"prometheus", "alertmanager", "grafana", "hosts", "placement"} <= info.data.keys():
            return address
        if address and (problem := _unreachable(address)):
            raise ValueError(problem)
        spread = HostSettings.model_construct(**info.data)
        asked = [name for name in spread.services_on(MAIN) if spread.reached_across_hosts(name)]
        if asked and not address:
            raise ValueError(
                f"is missing: other hosts ask {', '.join(asked)} on dockerHost, and need an "
                "address of it, such as 10.0.0.1"
            )
        return address

    def host_of(self, service: str) -> str:
        """Return the name of the host that a service or replica runs on; `MAIN` is ''."""
        if replica_names.base(service) == NODE_EXPORTER:
            return service.removeprefix(NODE_EXPORTER).removeprefix("-")
        return self.placement.get("grafana" if service == "grafana-lb" else service, MAIN)

    def services_on(self, host: str) -> tuple[str, ...]:
        return tuple(name for name in self.services if self.host_of(name) == host)

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services that others in the stack may connect to."""
        return (
            *(name for one in replica_names.MOST for name in self.replicas(one)),
            *(name for exporter in self.exporters for name in self.names_of(exporter)),
        )

    @property
    def exporters(self) -> tuple[Exporter, ...]:
        """All exporters: which are used depends on settings that are read later."""
        return EXPORTERS

    def names_of(self, exporter: Exporter) -> tuple[str, ...]:
        """Return the names of an exporter's instances: one, or one per host for node_exporter."""
        hosts = (MAIN, *self.hosts) if exporter.service == NODE_EXPORTER else (MAIN,)
        return tuple(
            replica_names.node_exporter(host) if host else exporter.service for host in hosts
        )

    def reached_across_hosts(self, service: str) -> bool:
        """Return whether a service on another host has to connect to it."""
        gossips = service in self.gossip_peers
        return gossips or any(
            self.host_of(asking) != self.host_of(service) for asking in self._asking(service)
        )

    def _asking(self, service: str) -> Sequence[str]:
        """Prometheus asks all, another Prometheus too; Grafana the first."""
        asking = [name for name in self.replicas("prometheus") if name != service]
        return [*asking, "grafana"] if service == "prometheus" else asking

    @property
    def gossip_peers(self) -> dict[str, str]:
        """Gossip address:port of each Alertmanager if they are on several hosts; empty on one host,
        where they use a Docker network.
        """
        names = self.replicas("alertmanager")
        if len({self.host_of(name) for name in names}) == 1:
            return {}
        return {name: f"{self.url_address(name)}:{self.gossip_port(name)}" for name in names}

    @property
    def gossip_addresses(self) -> dict[str, str]:
        """Gossip address of each Alertmanager on one host; empty if they are on several."""
        return {} if self.gossip_peers else super().gossip_addresses

    def gossip_port(self, name: str) -> int:
        return replica_names.default_port(name, GOSSIP_PORT)

    def url_address(self, service: str) -> str:
        """Return the address of a service's host, as in a URL, for other hosts."""
        host = self.hosts.get(self.host_of(service))
        return bracketed(host.address if host else self.host_address)


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def public_addresses(settings: HostSettings) -> list[str]:
    """Return the hosts' addresses that are not private."""
    found = [settings.host_address, *(host.address for host in settings.hosts.values())]
    return [one for one in found if one and not ipaddress.ip_address(one).is_private]


def names(hosts: Any, host_address: Any) -> list[str]:
    """Return the names that a certificate needs for the `hosts` of a stack file, valid or not."""
    found = [host_address] if host_address else []
    for host in hosts.values() if isinstance(hosts, Mapping) else ():
        if isinstance(host, Mapping):
            found += [host.get(key) for key in ("publicHost", "address") if host.get(key)]
    return [bracketed(str(name)) for name in found]


def linked(hosts: Mapping[str, Host], placement: Mapping[str, str]) -> list[str]:
    """Return the public names of hosts that run a service with web pages."""
    paged = {host for name, host in placement.items() if replica_names.base(name) in _WITH_PAGES}
    return [
        host.public_host or bracketed(host.address) for name, host in hosts.items() if name in paged
    ]


_WITH_PAGES = frozenset(replica_names.MOST)


def _host_problems(hosts: Mapping[str, Host]) -> Iterator[Problem]:
    counts = Counter(host.address for host in hosts.values())
    for name, host in hosts.items():
        if problem := _unreachable(host.address):
            yield Problem((name, "address"), problem)
        if counts[host.address] > 1:
            yield Problem((name, "address"), "is the address of another host as well")
        ends_here = _ENDS_AT_DOCKER.match(host.docker)
        if host.docker.startswith("tcp://") and not host.cert_path and not ends_here:
            yield Problem(
                (name, "docker"),
                "is a Docker Engine that asks for no certificate, and so makes everybody on its "
                "network root there: use ssh://, or TLS with certPath, the folder of ca.pem, "
                "cert.pem and key.pem",
            )


def _unreachable(address: str) -> str | None:
    found = ipaddress.ip_address(address)
    if found.is_loopback or found.is_unspecified:
        return "is not an address at which another machine reaches this one, such as 10.0.0.2"
    return None


def _placement_problems(
    placement: Mapping[str, str], known: Mapping[str, Any]
) -> Iterator[Problem]:
    hosts = known["hosts"]
    replicas = {
        name
        for service in replica_names.MOST
        for name in replica_names.names(service, known[service].replicas)
    }
    several = known["grafana"].replicas > 1
    for name, host in placement.items():
        base = replica_names.base(name)
        if problem := _not_placed(name, base, replicas, several=several):
            yield Problem((name,), problem, remove=True)
        elif host not in hosts:
            yield Problem(
                (name,),
                f"is an unknown host; vitalstream:hosts has: {', '.join(hosts) or 'none'}",
            )
        elif base == "prometheus" and several:
            yield Problem(
                (name,),
                f"cannot be on another host than the {known['grafana'].replicas} Grafanas, of "
                "which only their balancer can be reached there: it could not scrape them",
            )


def _not_placed(name: str, base: str, replicas: set[str], *, several: bool) -> str | None:
    if base == NODE_EXPORTER:
        return "cannot be placed: every host has its own, which looks at that host"
    if base in {found.service for found in EXPORTERS if not found.serves_tls}:
        return "cannot be placed: it looks at dockerHost, and serves no TLS"
    if several and base in ("grafana", "grafana-lb"):
        return (
            "cannot be placed: several Grafanas and their balancer stay beside each other on "
            "dockerHost"
        )
    if base in replica_names.MOST and name not in replicas:
        return (
            f"is not a replica of this stack; {base}.replicas says how many, and it has: "
            f"{', '.join(sorted(one for one in replicas if replica_names.base(one) == base))}"
        )
    if base in replica_names.MOST or base in PLACED_EXPORTERS:
        return None
    there = ", ".join(sorted({*replicas, *PLACED_EXPORTERS}))
    return f"is an unknown service; those that can be placed: {there}"
