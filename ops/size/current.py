"""Settings of a stack, or defaults, that limit the load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.catalog.services import SERVICES
from components.settings.loader import SettingsError
from components.settings.settings import Settings
from ops.offline import program


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


def current(stack: str | None, root: Path = program.ROOT) -> Current:
    """Raises ProgramError, also where the stack's settings are wrong."""
    if stack is None:
        fields = {name: field.default for name, field in Settings.model_fields.items()}
        return Current(
            None,
            fields["scrape_interval"],
            fields["retention_time"],
            SERVICES["prometheus"].limit.memory,
            SERVICES["prometheus"].limit.cpus,
            fields["retention_size"],
            fields["sample_limit"],
            fields["prometheus"].replicas,
        )
    try:
        settings = program.StackConfig.of_stack(stack, root).settings(stack)
    except SettingsError as error:
        raise program.ProgramError(str(error)) from None
    return Current(
        stack,
        settings.scrape_interval,
        settings.retention_time,
        settings.limit("prometheus").memory,
        settings.limit("prometheus").cpus,
        settings.retention_size,
        settings.sample_limit,
        settings.prometheus.replicas,
    )
