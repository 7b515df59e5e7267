"""Several faults of one setting, told by a single check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PartFault:
    """What is wrong at `path` below the setting; `mend` where no command on that path mends it.

    `hidden` is one whose value has a secret in it where none belongs: it is not shown.
    """

    path: tuple[str, ...]
    problem: str
    mend: str | None = None
    hidden: bool = False


class PartFaults(ValueError):
    """Raised by a field's validator; the settings loader tells each fault by its own path."""

    def __init__(self, faults: list[PartFault]) -> None:
        super().__init__("; ".join(fault.problem for fault in faults))
        self.faults = tuple(faults)


def tell(faults: list[PartFault]) -> None:
    """Raises PartFaults where there are any."""
    if faults:
        raise PartFaults(faults)
