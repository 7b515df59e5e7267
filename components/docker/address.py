"""Address of a Docker Engine, as `dockerHost` has it."""

from __future__ import annotations


def is_local(docker_host: str) -> bool:
    """Return whether the engine is this machine's own."""
    return docker_host.startswith("unix://")
