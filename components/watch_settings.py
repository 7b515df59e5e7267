"""What a stack watches, and where that is found: a part of `Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from components import discovery
from components.discovery import DnsSource
from components.field_types import (
    DatabaseName,
    HostPort,
    Login,
    OptionalLogin,
    OptionalPassword,
    Password,
)
from components.reach_settings import ReachSettings
from components.setting_faults import tell


class WatchSettings(ReachSettings):
    backend_dns: tuple[DnsSource, ...] = ()
    backend_target_files: tuple[str, ...] = ()
    # After the two others, which it may be empty beside.
    backend_targets: tuple[HostPort, ...] = Field(default=("backend:8000",))
    postgres_address: HostPort = "postgres:5432"
    postgres_database: DatabaseName = "postgres"
    postgres_user: Login = "postgres_exporter"
    postgres_sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "disable"
    postgres_password: Password
    redis_address: HostPort = "redis:6379"
    redis_user: OptionalLogin = ""
    redis_password: OptionalPassword = SecretStr("")

    @field_validator("backend_dns")
    @classmethod
    def _each_name_once(cls, sources: tuple[DnsSource, ...]) -> tuple[DnsSource, ...]:
        tell(discovery.dns_faults(sources))
        return sources

    @field_validator("backend_target_files")
    @classmethod
    def _are_files_of_targets(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        tell(discovery.file_faults(paths))
        return paths

    @field_validator("backend_targets")
    @classmethod
    def _are_found_somewhere(
        cls, targets: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        known = (info.data.get(name) for name in ("backend_dns", "backend_target_files"))
        tell(discovery.list_faults(targets, *known))
        return targets
