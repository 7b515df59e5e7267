"""Monitored services and their addresses: a part of `Settings`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from components.catalog.exporters import EXPORTERS
from components.catalog.integration import Exporter
from components.catalog.integrations import INTEGRATIONS
from components.catalog.integrations.redis import EXPORTER as REDIS
from components.catalog.monitored import ALL_MONITORED, DEFAULT_MONITORED, Monitored
from components.catalog.networks import HOST_NAME
from components.catalog.replicas import DEFAULT_SERVER, server_exporter
from components.common.problems import Problem, raise_if_any
from components.settings import backend_groups, discovery, federation, scrape_jobs
from components.settings import probes as probe_settings
from components.settings import servers as server_settings
from components.settings.backend_groups import BackendGroup, GroupName
from components.settings.discovery import DnsSource
from components.settings.endpoints import ReachSettings
from components.settings.federation import FederationSource
from components.settings.logins import OptionalLogin, PostgresDatabase, PostgresLogin
from components.settings.passwords import OptionalServerPassword
from components.settings.probes import Probe, ProbeName
from components.settings.scrape_jobs import ScrapeJob
from components.settings.servers import Server, ServerKind, ServerName, SslMode
from components.settings.types import ServiceAddress

DEFAULT_BACKEND = ("backend:8000",)


class WatchSettings(ReachSettings):
    federation: tuple[FederationSource, ...] = ()
    # After `federation`: without it, something is to be watched.
    watch: tuple[Monitored, ...] = DEFAULT_MONITORED
    # Also where it is not set: `watch` may need some.
    servers: dict[ServerKind, dict[ServerName, Server]] = Field(default={}, validate_default=True)
    # Also where it is not set: `watch` may need some.
    probes: dict[ProbeName, Probe] = Field(default={}, validate_default=True)

    backend_dns: tuple[DnsSource, ...] = ()
    backend_target_files: tuple[str, ...] = ()
    backend: dict[GroupName, BackendGroup] = {}
    # After the others, which it may be empty beside. Also where it is not set: with `backend` the
    # default means nothing.
    backend_targets: tuple[ServiceAddress, ...] = Field(
        default=DEFAULT_BACKEND, validate_default=True
    )
    postgres_address: ServiceAddress = "postgres:5432"
    postgres_database: PostgresDatabase = "postgres"
    postgres_user: PostgresLogin = "postgres_exporter"
    postgres_sslmode: SslMode = "disable"
    # Checked also by default: it is required where PostgreSQL is watched.
    postgres_password: OptionalServerPassword = Field(default=SecretStr(""), validate_default=True)
    redis_address: ServiceAddress = "redis:6379"
    redis_user: OptionalLogin = ""
    redis_password: OptionalServerPassword = SecretStr("")

    # They have secrets in them.
    scrape_jobs: tuple[ScrapeJob, ...] = Field(default=(), repr=False)

    @field_validator("federation")
    @classmethod
    def _validate_federation(
        cls, sources: tuple[FederationSource, ...], info: ValidationInfo
    ) -> tuple[FederationSource, ...]:
        raise_if_any(federation.problems(info.data["stack"], sources))
        return sources

    @field_validator("watch")
    @classmethod
    def _validate_watch(
        cls, watched: tuple[Monitored, ...], info: ValidationInfo
    ) -> tuple[Monitored, ...]:
        for what, count in Counter(watched).items():
            if count > 1:
                raise ValueError(f"has {what} twice")
        if not watched and info.data.get("federation") == ():
            raise ValueError("is empty, and there is no federation: there is nothing to look at")
        if {"tls", "prometheus", "placement"} <= info.data.keys():
            raise_if_any(_in_clear_text(watched, info.data))
        # In our order, so that a different order in the stack file makes no diff.
        return tuple(what for what in ALL_MONITORED if what in watched)

    @field_validator("servers")
    @classmethod
    def _validate_servers(
        cls, servers: dict[str, dict[str, Server]], info: ValidationInfo
    ) -> dict[str, dict[str, Server]]:
        known = (info.data.get("watch", ()), info.data.get("placement", {}))
        raise_if_any(server_settings.problems(info.data["stack"], servers, *known))
        return servers

    @field_validator("probes")
    @classmethod
    def _validate_probes(cls, probes: dict[str, Probe], info: ValidationInfo) -> dict[str, Probe]:
        monitored = "probes" in info.data.get("watch", ())
        raise_if_any([*probe_settings.problems(info.data["stack"], probes, monitored=monitored)])
        return probes

    @field_validator("postgres_password")
    @classmethod
    def _validate_postgres_password(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        named = info.data.get("servers", {}).get("postgresql")
        watched = "postgresql" in info.data.get("watch", ())
        if watched and not named and not password.get_secret_value():
            raise ValueError("is missing")
        return password

    @field_validator("backend_dns")
    @classmethod
    def _validate_backend_dns(cls, sources: tuple[DnsSource, ...]) -> tuple[DnsSource, ...]:
        raise_if_any(discovery.dns_problems(sources))
        return sources

    @field_validator("backend_target_files")
    @classmethod
    def _validate_backend_target_files(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        raise_if_any(discovery.file_problems(paths))
        return paths

    @field_validator("backend")
    @classmethod
    def _validate_backend(cls, groups: dict[str, BackendGroup]) -> dict[str, BackendGroup]:
        raise_if_any(list(backend_groups.problems(groups)))
        return groups

    @field_validator("backend_targets")
    @classmethod
    def _validate_backend_targets(
        cls, targets: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        groups = info.data.get("backend", {})
        if groups and targets == DEFAULT_BACKEND:
            return ()
        known = (info.data.get(name) for name in ("backend_dns", "backend_target_files"))
        found = [*backend_groups.list_problems(targets, groups)]
        raise_if_any(found + ([] if groups else discovery.list_problems(targets, *known)))
        return targets

    @field_validator("scrape_jobs")
    @classmethod
    def _validate_scrape_jobs(cls, jobs: tuple[ScrapeJob, ...]) -> tuple[ScrapeJob, ...]:
        raise_if_any(list(scrape_jobs.problems(jobs)))
        return jobs

    @property
    def exporters(self) -> tuple[Exporter, ...]:
        """Exporters of the monitored services."""
        return tuple(
            found.exporter for found in INTEGRATIONS if found.exporter and found.kind in self.watch
        )

    def asks_outside(self, exporter: Exporter) -> bool:
        """Return whether a server of the exporter is on the Docker host itself, or, of those with
        names, at an address that is no container's name.
        """
        kind = next(found for found in INTEGRATIONS if found.exporter == exporter)
        named = self.servers.get(kind.kind, {}) if kind.several_servers else {}
        return any(one.host == HOST_NAME for one in self.servers_of(kind.kind).values()) or any(
            re.search("[.:]", one.host) for one in named.values()
        )

    def servers_of(self, kind: str) -> dict[str, Server]:
        """Return the servers of a kind by name; `default` is the one of the flat settings.

        Beside others, the flat settings count if they say something.
        """
        named = self.servers.get(kind, {})
        flat = None
        if kind == "postgresql" and (not named or self.postgres_password.get_secret_value()):
            flat = Server.model_construct(
                address=self.postgres_address,
                user=self.postgres_user,
                password=self.postgres_password,
                database=self.postgres_database,
                sslmode=self.postgres_sslmode,
            )
        if kind == "redis" and (not named or self._sets_redis):
            flat = Server.model_construct(
                address=self.redis_address, user=self.redis_user, password=self.redis_password
            )
        return {DEFAULT_SERVER: flat, **named} if flat else dict(named)

    @property
    def sentinels(self) -> frozenset[str]:
        """Return the exporters whose server is a Sentinel."""
        return frozenset(
            server_exporter(REDIS.service, name)
            for name, server in self.servers_of("redis").items()
            if "redis" in self.watch and server.sentinel
        )

    @property
    def _sets_redis(self) -> bool:
        default = WatchSettings.model_fields["redis_address"].default
        secret = self.redis_password.get_secret_value()
        return bool(self.redis_address != default or self.redis_user or secret)

    def names_of(self, exporter: Exporter) -> tuple[str, ...]:
        for found in INTEGRATIONS:
            if found.exporter == exporter and found.several_servers:
                servers = self.servers_of(found.kind)
                return tuple(server_exporter(exporter.service, name) for name in servers)
        return super().names_of(exporter)

    def server(self, kind: str) -> Server:
        """Return the server of a kind that is monitored and has one in `servers`."""
        (found,) = self.servers[kind].values()
        return found

    @property
    def published(self) -> dict[str, int]:
        left_out = {
            one.service
            for one in EXPORTERS
            if one not in self.exporters or one.service not in self.names_of(one)
        }
        return {name: port for name, port in super().published.items() if name not in left_out}


def _in_clear_text(watched: Sequence[str], known: Mapping[str, Any]) -> list[Problem]:
    """Return the kinds that another host's Prometheus would ask in clear text, in spite of TLS."""
    spread = ReachSettings.model_construct(**known)
    return [
        Problem(
            (str(place),),
            f"is asked in clear text: {exporter.service} serves no TLS, and `placement` has a "
            "Prometheus on another host",
            remove=True,
        )
        for place, kind in enumerate(watched)
        for exporter in [found.exporter for found in INTEGRATIONS if found.kind == kind]
        if exporter and not exporter.serves_tls and spread.tls
        if spread.reached_across_hosts(exporter.service)
    ]
