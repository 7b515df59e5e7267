"""Prediction of the engine's plan.

The tables are what `pulumi preview` planned for an edit of each input (pulumi-docker 5.2.0,
pulumiverse-grafana 2.44.0); a test with the real engine holds them against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ops.review.diff.comparison import Op, Step
from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    FOLDER,
    IMAGE,
    NETWORK,
    VOLUME,
    Address,
    Resource,
    Snapshot,
    moved,
)
from ops.review.diff.values import ABSENT, Change, changes, same

# Of the inputs that this program sets: a container runs on while these change. Any other input
# is taken for one that replaces it.
IN_PLACE = frozenset(
    {
        "cpuShares", "destroyGraceSeconds", "healthcheck", "init", "logs", "maxRetryCount",
        "memory", "memoryReservation", "memorySwap", "mustRun", "restart", "tmpfs", "wait",
        "waitTimeout",
    }
)  # fmt: skip
# Planned as updates in place, reported as done, and never carried out: a container keeps its old
# ones until it is replaced for another reason. Of mounts, only what an entry says: one more or one
# less is a replacement.
NEVER_APPLIED = frozenset({"healthcheck", "init", "mounts", "tmpfs"})

# Of what loses data or connections when it is replaced; all other inputs are updated in place.
REPLACED_FOR = {
    CONFIG_FILES: frozenset({"docker_host", "target", "volume"}),
    FOLDER: frozenset({"orgId", "uid"}),
    IMAGE: frozenset({"name", "platform", "pullTriggers", "triggers"}),
    VOLUME: frozenset({"driver", "driverOpts", "labels", "name"}),
}


def steps(before: Snapshot, after: Snapshot) -> dict[Address, Step]:
    """Return the step of each resource that changes."""
    found = dict(_steps(before, after))
    # A network is deleted first, and so is what hangs on it.
    gone = {str(at) for at, step in found.items() if at.type == NETWORK and step.op is Op.REPLACE}
    for address, resource in after.resources.items():
        above = sorted(gone & resource.dependencies)
        if above and resource.type == CONTAINER and address in before.resources:
            own = found.get(address, Step(Op.REPLACE))
            name = Address.parse(above[0]).name
            found[address] = replace(own, op=Op.REPLACE, because_of=name)
    return found


def _steps(before: Snapshot, after: Snapshot) -> Iterator[tuple[Address, Step]]:
    for address, old in before.resources.items():
        new = after.resources.get(address)
        if new is None:
            yield address, Step(Op.DELETE)
        elif step := _step(old, new):
            yield address, step
    for address in after.resources:
        if address not in before.resources:
            yield address, Step(Op.CREATE)


def _step(old: Resource, new: Resource) -> Step | None:
    found = [
        change
        for change in changes(old.inputs, new.inputs)
        if change.path[0] not in new.ignore_changes
    ]
    elsewhere = moved(old, new)
    if not found and not elsewhere:
        return None
    replaced_for = tuple(sorted({*_replacing(new, found), *(["provider"] if elsewhere else [])}))
    return Step(Op.REPLACE if replaced_for else Op.UPDATE, replaced_for)


def _replacing(new: Resource, found: Iterable[Change]) -> Iterator[str]:
    for change in found:
        name = str(change.path[0])
        if name in new.replace_on_changes or _replaces(new.type, name, change):
            yield name


def _replaces(kind: str, name: str, change: Change) -> bool:
    if kind == CONTAINER:
        if name == "mounts":
            return ABSENT in (change.old, change.new) and len(change.path) <= 2
        return name not in IN_PLACE
    return kind == NETWORK or name in REPLACED_FOR.get(kind, ())


def options_changed(old: Resource, new: Resource) -> list[Change]:
    """Return the changed Pulumi options; the order of dependencies is ignored."""
    found = [
        Change((name,), _option(old, name), _option(new, name))
        for name in ("protect", "deleted_with", "ignore_changes", "replace_on_changes", "provider")
        if not same(_option(old, name), _option(new, name))
    ]
    gone, come = old.dependencies - new.dependencies, new.dependencies - old.dependencies
    found += [Change(("depends_on",), at, ABSENT) for at in sorted(gone)]
    found += [Change(("depends_on",), ABSENT, at) for at in sorted(come)]
    return found


def _option(resource: Resource, name: str) -> object:
    value = getattr(resource, name)
    return list(value) if isinstance(value, tuple) else value
