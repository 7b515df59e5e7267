"""Docker Engines of a stack: one per host, and the engine of each service."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.replicas import MAIN
from components.settings.settings import Settings


@dataclass(frozen=True)
class Engine:
    """Docker Engine of a host.

    `host` is its name in `vitalstream:hosts`, empty for `dockerHost`; `certificates` is the folder
    of the client's certificate, empty where there is none.
    """

    url: str
    host: str = MAIN
    certificates: str = ""

    @property
    def props(self) -> dict[str, str]:
        """Inputs from which `connect_to` connects a dynamic resource to the engine."""
        named = {"host": self.host} if self.host else {}
        return {
            "docker_host": self.url,
            **named,
            **({"docker_certificates": self.certificates} if self.certificates else {}),
        }

    @property
    def provider_name(self) -> str:
        """Name of the engine's provider resource."""
        return f"docker-{self.host}" if self.host else "docker"


def engines(settings: Settings) -> list[Engine]:
    """Return all engines, that of `dockerHost` first."""
    others = settings.hosts.items()
    return [
        Engine(settings.docker_host, certificates=settings.docker_cert_path),
        *(Engine(host.docker, name, host.cert_path) for name, host in others),
    ]


def engine_of(settings: Settings, service: str) -> Engine:
    """Return the engine that a service, or one of its replicas, runs on."""
    host = settings.host_of(service)
    return next(engine for engine in engines(settings) if engine.host == host)
