"""The Docker Engines of a stack: one a host, and who is made by which."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.replicas import MAIN
from components.settings.settings import Settings


@dataclass(frozen=True)
class Engine:
    """`host` is its name in `vitalstream:hosts`, empty for `dockerHost`; `certificates` is the
    folder of the client's, empty where there are none.
    """

    url: str
    host: str = MAIN
    certificates: str = ""

    @property
    def props(self) -> dict[str, str]:
        """What a dynamic resource has to know to connect to it: `connect_to` reads them."""
        named = {"host": self.host} if self.host else {}
        return {
            "docker_host": self.url,
            **named,
            **({"docker_certificates": self.certificates} if self.certificates else {}),
        }

    @property
    def provider_name(self) -> str:
        """Of the resource that is its provider."""
        return f"docker-{self.host}" if self.host else "docker"


def engines(settings: Settings) -> list[Engine]:
    """That of `dockerHost` first."""
    others = settings.hosts.items()
    return [
        Engine(settings.docker_host),
        *(Engine(host.docker, name, host.cert_path) for name, host in others),
    ]


def engine_of(settings: Settings, service: str) -> Engine:
    """The one that a service, or a replica of one, runs on."""
    host = settings.host_of(service)
    return next(engine for engine in engines(settings) if engine.host == host)


def is_local(docker_host: str) -> bool:
    """Return whether the engine is this machine's own."""
    return docker_host.startswith("unix://")
