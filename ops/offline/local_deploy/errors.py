"""User-facing errors of the local deploy."""

from __future__ import annotations

from docker.errors import APIError, DockerException

from ops.offline.program import ProgramError


class LocalDeployError(ProgramError):
    """Raised when the stack could not be deployed; the message says why."""


class StaleNetworkError(LocalDeployError):
    """Docker counts a connection to a network that no container has, and keeps the network.

    https://github.com/moby/moby/issues/42119
    """


class StoppedError(LocalDeployError):
    """Stopped because another part of the stack failed."""


def docker_message(error: DockerException) -> str:
    """Return Docker's own explanation, without the HTTP around it."""
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error)
