"""Monitored services and their addresses: a part of `Settings`."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from components.catalog.exporters import EXPORTERS
from components.catalog.integration import Exporter
from components.catalog.integrations import INTEGRATIONS
from components.catalog.monitored import ALL_MONITORED, DEFAULT_MONITORED, Monitored
from components.common.problems import raise_if_any
from components.settings import discovery, federation, scrape_jobs
from components.settings import servers as server_settings
from components.settings.discovery import DnsSource
from components.settings.endpoints import ReachSettings
from components.settings.federation import FederationSource
from components.settings.passwords import OptionalPassword
from components.settings.scrape_jobs import ScrapeJob
from components.settings.servers import Server, ServerKind, ServerName
from components.settings.types import DatabaseName, Login, OptionalLogin, ServiceAddress


class WatchSettings(ReachSettings):
    federation: tuple[FederationSource, ...] = ()
    # After `federation`: without it, something is to be watched.
    watch: tuple[Monitored, ...] = DEFAULT_MONITORED
    # Also where it is not set: `watch` may need some.
    servers: dict[ServerKind, dict[ServerName, Server]] = Field(default={}, validate_default=True)

    backend_dns: tuple[DnsSource, ...] = ()
    backend_target_files: tuple[str, ...] = ()
    # After the two others, which it may be empty beside.
    backend_targets: tuple[ServiceAddress, ...] = Field(default=("backend:8000",))
    postgres_address: ServiceAddress = "postgres:5432"
    postgres_database: DatabaseName = "postgres"
    postgres_user: Login = "postgres_exporter"
    postgres_sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "disable"
    # Checked also by default: it is required where PostgreSQL is watched.
    postgres_password: OptionalPassword = Field(default=SecretStr(""), validate_default=True)
    redis_address: ServiceAddress = "redis:6379"
    redis_user: OptionalLogin = ""
    redis_password: OptionalPassword = SecretStr("")

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
        # In our order, so that a different order in the stack file makes no diff.
        return tuple(what for what in ALL_MONITORED if what in watched)

    @field_validator("servers")
    @classmethod
    def _validate_servers(
        cls, servers: dict[str, dict[str, Server]], info: ValidationInfo
    ) -> dict[str, dict[str, Server]]:
        found = server_settings.problems(info.data["stack"], servers, info.data.get("watch", ()))
        raise_if_any(found)
        return servers

    @field_validator("postgres_password")
    @classmethod
    def _validate_postgres_password(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        if "postgresql" in info.data.get("watch", ()) and not password.get_secret_value():
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

    @field_validator("backend_targets")
    @classmethod
    def _validate_backend_targets(
        cls, targets: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        known = (info.data.get(name) for name in ("backend_dns", "backend_target_files"))
        raise_if_any(discovery.list_problems(targets, *known))
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

    def server(self, kind: str) -> Server:
        """Return the server of a kind that is monitored and has one in `servers`."""
        (found,) = self.servers[kind].values()
        return found

    @property
    def published(self) -> dict[str, int]:
        left_out = {exporter.service for exporter in EXPORTERS if exporter not in self.exporters}
        return {name: port for name, port in super().published.items() if name not in left_out}
