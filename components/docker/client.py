"""Client of a Docker Engine: by local socket, over ssh, or over TLS."""

from __future__ import annotations

from pathlib import Path

import docker
import docker.tls

from components.docker import ssh_tunnel


class _WithItsOwnAuthorities(docker.APIClient):
    """API client that ignores REQUESTS_CA_BUNDLE, which would override the folder's ca.pem."""

    @property
    def trust_env(self) -> bool:
        return False

    @trust_env.setter
    def trust_env(self, _asked: bool) -> None:
        """Ignore the value that requests sets."""


def docker_client(docker_host: str, certificates: str = "") -> docker.DockerClient:
    """Return a client of the engine.

    `certificates` is the folder of the client's ca.pem, cert.pem and key.pem, for an engine that
    requires them. Raises DockerException or OSError where no engine answers.
    """
    if certificates:
        return _over_tls(docker_host, Path(certificates))
    is_ssh = docker_host.startswith("ssh://")
    return docker.DockerClient(
        base_url=ssh_tunnel.local_url(docker_host) if is_ssh else docker_host
    )


def _over_tls(docker_host: str, folder: Path) -> docker.DockerClient:
    client = docker.DockerClient.__new__(docker.DockerClient)
    client.api = _WithItsOwnAuthorities(
        base_url=docker_host,
        tls=docker.tls.TLSConfig(
            ca_cert=str(folder / "ca.pem"),
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            verify=True,
        ),
    )
    return client
