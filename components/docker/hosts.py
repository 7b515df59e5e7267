"""The hosts of a stack: of each the provider and the networks, for what runs there."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.catalog.replicas import MAIN
from components.docker.engines import engines
from components.docker.network import StackNetworks
from components.docker.provider import docker_provider
from components.settings.settings import Settings


class Hosts:
    """With several, or with object storage, nothing is made on any of them before `checks` have
    passed, also where an `up` has no preview.
    """

    def __init__(self, settings: Settings, checks: Sequence[pulumi.Resource]) -> None:
        self._settings = settings
        after = checks if settings.hosts or settings.thanos.bucket else []
        self._options = {
            engine.host: pulumi.ResourceOptions(
                providers={"docker": docker_provider(engine, after)}
            )
            for engine in engines(settings)
        }
        self._networks = {
            host: StackNetworks(settings, opts, host) for host, opts in self._options.items()
        }

    def on(self, service: str = MAIN) -> pulumi.ResourceOptions:
        """What makes a service's resources on the host it is placed on."""
        return self._options[self._settings.host_of(service)]

    def networks(self, service: str = MAIN) -> StackNetworks:
        """Those of the host a service is placed on."""
        return self._networks[self._settings.host_of(service)]
