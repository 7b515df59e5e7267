"""Errors that a user of `python -m ops` or `python -m benchmarks` reads."""

from __future__ import annotations

from docker.errors import APIError, DockerException


class OpsError(Exception):
    """User-facing error, printed verbatim: what is wrong, where, and how to fix it."""


def docker_message(error: DockerException) -> str:
    """Return Docker's own explanation, without the HTTP around it."""
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error)
