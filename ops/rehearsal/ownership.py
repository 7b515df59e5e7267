"""Whose a container, network or volume is: its labels say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Set by the program on all that it makes, whoever runs it.
STACK_LABEL = "vitalstream.stack"
MADE_BY_LABEL = "vitalstream.made-by"
REHEARSAL = "rehearsal"


def labels(inputs: Mapping[str, Any]) -> dict[str, str]:
    """A resource's own labels, and that it was made here."""
    given = {entry["label"]: entry["value"] for entry in inputs.get("labels") or []}
    return {**given, MADE_BY_LABEL: REHEARSAL}


def of_stack(found: Mapping[str, str] | None, stack: str) -> bool:
    return (found or {}).get(STACK_LABEL) == stack


def made_here(found: Mapping[str, str] | None) -> bool:
    return (found or {}).get(MADE_BY_LABEL) == REHEARSAL
