"""Ownership labels of containers, networks and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MADE_BY_LABEL = "vitalstream.made-by"
REHEARSAL = "rehearsal"


def labels(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return a resource's labels with the mark of the local deploy."""
    given = {entry["label"]: entry["value"] for entry in inputs.get("labels") or []}
    return {**given, MADE_BY_LABEL: REHEARSAL}


def made_here(found: Mapping[str, str] | None) -> bool:
    return (found or {}).get(MADE_BY_LABEL) == REHEARSAL
