"""Settings of a stack, or defaults, that limit the load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.settings.loader import SettingsError
from components.settings.settings import Settings
from ops.offline import program
from ops.root import ROOT


@dataclass(frozen=True)
class Current:
    """Settings of a stack, or defaults if `stack` is None."""

    stack: str | None
    interval: str
    retention: str
    memory: str
    cpus: float
    retention_size: str
    sample_limit: int
    replicas: int

    @property
    def words(self) -> str:
        return f"stack {self.stack}" if self.stack else "the defaults"


def current(stack: str | None, root: Path = ROOT) -> Current:
    """Raises ProgramError, also where the stack's settings are wrong."""
    try:
        settings = (
            program.StackConfig.of_stack(stack, root).settings(stack)
            if stack
            else Settings.model_construct()
        )
    except SettingsError as error:
        raise program.ProgramError(str(error)) from None
    limit = settings.limit("prometheus")
    return Current(
        stack,
        settings.scrape_interval,
        settings.retention_time,
        limit.memory,
        limit.cpus,
        settings.retention_size,
        settings.sample_limit,
        settings.prometheus.replicas,
    )
