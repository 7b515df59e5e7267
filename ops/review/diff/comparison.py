"""A stack before and after, and what becomes of each of its resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ops.errors import OpsError
from ops.review.diff.report import Fault
from ops.review.diff.snapshot import Address, Resource, Snapshot
from ops.review.diff.values import Change, changes


class DiffError(OpsError):
    """There is nothing to report on; the message says why and the way out."""


class Op(StrEnum):
    """What the engine does with a resource."""

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
    """`origin` is how it came about, for readers; `broken` are the sides that cannot be had."""

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
