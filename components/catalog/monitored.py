"""The kinds of services that a stack can monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

Monitored = Literal["backend", "postgresql", "redis", "host"]
ALL_MONITORED: Final[tuple[Monitored, ...]] = get_args(Monitored)


def not_monitored(monitored: Sequence[Monitored]) -> list[Monitored]:
    """Return the kinds that are left out."""
    return [kind for kind in ALL_MONITORED if kind not in monitored]
