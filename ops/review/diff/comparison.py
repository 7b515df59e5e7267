"""Comparison of a stack before and after, with the operation on each resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ops.errors import OpsError
from ops.review.diff.report import Fault
from ops.review.diff.snapshot import Address, Resource, Snapshot
from ops.review.diff.values import Change, changes


class DiffError(OpsError):
    """Raised when a comparison is impossible; the message says why and how to fix it."""


class Op(StrEnum):
    """Engine's operation on a resource."""

    CREATE = "create"
    DELETE = "delete"
    REPLACE = "replace"
    UPDATE = "update"


@dataclass(frozen=True)
class Step:
    """`replaced_for` are the top-level inputs that make an update a replacement.

    `because_of` is the resource whose replacement takes this one along. `drift` are the top-level
    inputs that somebody changed in what runs, and that are put back.
    """

    op: Op
    replaced_for: tuple[str, ...] = ()
    because_of: str = ""
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two versions of a stack; `origin` names the source, `broken` the versions that failed."""

    stack: str
    origin: str
    before: Snapshot
    after: Snapshot
    steps: Mapping[Address, Step] = field(default_factory=dict)
    broken: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    def both(self, address: Address) -> tuple[Resource | None, Resource | None]:
        return self.before.resources.get(address), self.after.resources.get(address)

    def input_changes(self, address: Address) -> list[Change]:
        old, new = self.both(address)
        return changes(old.inputs if old else {}, new.inputs if new else {})

    def of_type(self, kind: str) -> Iterator[tuple[Address, Step]]:
        return ((at, step) for at, step in sorted(self.steps.items()) if at.type == kind)
