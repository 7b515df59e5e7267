"""The Docker provider, for the one engine that a stack runs on."""

from __future__ import annotations

import pulumi_docker as docker

from components.settings import Settings


def docker_provider(settings: Settings) -> docker.Provider:
    return docker.Provider("docker", host=settings.docker_host)
