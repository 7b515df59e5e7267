"""Hosts of a stack: the provider and the networks of each."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.catalog.replicas import MAIN
from components.docker.engines import engines
from components.docker.network import StackNetworks
from components.docker.provider import docker_provider
from components.settings.settings import Settings


class Hosts:
    """Resources of each host.

    With several hosts, or with object storage, nothing is created on any of them before `checks`
    have passed, even if `up` skips its preview.
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
        """Return the options that create a service's resources on its host."""
        return self._options[self._settings.host_of(service)]

    def networks(self, service: str = MAIN) -> StackNetworks:
        """Return the networks of the host that a service is placed on."""
        return self._networks[self._settings.host_of(service)]
