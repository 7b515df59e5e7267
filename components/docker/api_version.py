"""The API version of a Docker Engine, which decides what a container may be given."""

from __future__ import annotations

import http.client
import socket
from functools import cache

from components.docker.address import is_local
from components.docker.engines import Engine

Version = tuple[int, int]
# Engine 25. https://docs.docker.com/reference/api/engine/version-history/#v144-api-changes
START_INTERVAL: Version = (1, 44)
ASK_SECONDS = 5


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ASK_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@cache
def api_version(engine: Engine) -> Version | None:
    """Return the newest API version that the engine has; None where it does not answer.

    A local engine is asked by the standard library: the Docker SDK takes longer to import than the
    request takes, and every `up` would pay for it.
    """
    try:
        text = _ping(engine.url.removeprefix("unix://")) if is_local(engine.url) else _ask(engine)
        major, minor = text.split(".")
        return int(major), int(minor)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _ping(path: str) -> str:
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().headers.get("Api-Version", "")
    finally:
        connection.close()


def _ask(engine: Engine) -> str:
    import docker.errors  # noqa: PLC0415

    from components.docker.client import docker_client  # noqa: PLC0415

    try:
        return str(docker_client(engine.url, engine.certificates).version()["ApiVersion"])
    except docker.errors.DockerException as error:
        raise OSError(str(error)) from None
