"""The Docker Engine that the command `docker` uses here: DOCKER_HOST, or the current context."""

from __future__ import annotations

import os

from docker.context import ContextAPI
from docker.errors import DockerException


def other_engine(docker_host: str) -> str:
    """Return a sentence that names the engine of the command `docker`, if it is another one.

    Colima, Rancher Desktop and Docker Desktop on a Mac have a socket of their own, and a context.
    """
    found, of = os.environ.get("DOCKER_HOST", ""), "DOCKER_HOST"
    if not found:
        try:
            context = ContextAPI.get_current_context()
            found, of = str(context.Host or ""), f"its context {context.Name}"
        except (DockerException, OSError, ValueError, LookupError, TypeError, AttributeError):
            return ""
    if found in ("", docker_host):
        return ""
    return f"The command docker uses {found} here ({of}): `pulumi config set dockerHost {found}`."
