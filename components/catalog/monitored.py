"""Kinds of services that a stack can monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator

from components.catalog.integrations import INTEGRATIONS

ALL_MONITORED: Final = tuple(found.kind for found in INTEGRATIONS)
DEFAULT_MONITORED: Final = tuple(found.kind for found in INTEGRATIONS if found.default)
"""Services that a stack monitors when `watch` is not set."""


def _known(kind: str) -> str:
    if kind not in ALL_MONITORED:
        raise ValueError(f"cannot be monitored; there are: {', '.join(ALL_MONITORED)}")
    return kind


Monitored = Annotated[str, AfterValidator(_known)]


def not_monitored(monitored: Sequence[Monitored]) -> list[Monitored]:
    """Return the default kinds that are left out."""
    return [kind for kind in DEFAULT_MONITORED if kind not in monitored]
