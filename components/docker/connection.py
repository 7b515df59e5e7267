"""Connection to a Docker Engine from the dynamic providers and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker
import docker.errors

from components.common.redaction import redact
from components.docker.client import docker_client
from components.docker.current_context import other_engine


class ConfigFilesError(Exception):
    """User-facing error, printed verbatim; credentials in it are masked."""

    def __init__(self, text: str) -> None:
        super().__init__(redact(text))


def connect(docker_host: str, host: str = "", certificates: str = "") -> docker.DockerClient:
    """Return a client of the Docker Engine that the provider uses.

    That is the engine of a `host` of the settings, with the client's `certificates` in a folder.
    Raises ConfigFilesError.
    """
    try:
        client = docker_client(docker_host, certificates)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise ConfigFilesError(unreachable(docker_host, host, str(error))) from None
    return client


def connect_to(props: Mapping[str, Any]) -> docker.DockerClient:
    """Return a client for the engine in the inputs made by
    `components.docker.engines.Engine.props`.
    """
    host, certificates = props.get("host"), props.get("docker_certificates")
    if host or certificates:
        return connect(props["docker_host"], host or "", certificates or "")
    return connect(props["docker_host"])


def unreachable(docker_host: str, host: str, why: str) -> str:
    """Return the error for an engine that does not answer: that of a `host`, or of `dockerHost`."""
    if not host:
        return (
            f"No Docker Engine answers at {docker_host} (vitalstream:dockerHost): {why}. "
            "Start it (`systemctl start docker`, or `dockerd` by hand) or name one that runs. "
            + other_engine(docker_host)
        ).strip()
    return (
        f"No Docker Engine answers on the host {host}, at {docker_host} "
        f"(vitalstream:hosts.{host}.docker): {why}. Nothing was touched on any host. "
        "Start it (`systemctl start docker` there) or name the right one; a host that is gone "
        "for good: docs/operations/hosts.md#remove-a-lost-host"
    )
