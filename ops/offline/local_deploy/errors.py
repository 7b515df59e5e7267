"""What a user of the rehearsal reads when it fails."""

from __future__ import annotations

from docker.errors import APIError, DockerException

from ops.offline.program import ProgramError


class RehearsalError(ProgramError):
    """The stack is not up; the message says why, in plain words."""


class StaleNetworkError(RehearsalError):
    """Docker counts a connection to a network that nothing has any more, and does not remove it.

    https://github.com/moby/moby/issues/42119
    """


class StoppedError(RehearsalError):
    """Not gone on with, because another part of the stack failed."""


def docker_words(error: DockerException) -> str:
    """Docker's own explanation, without the HTTP around it."""
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error)
