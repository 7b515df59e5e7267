"""Changes of backends in discovery files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from components.user_files.paths import TARGETS_FOLDER
from ops.review.diff.report import Field, Item, Kind, Line, Quote, quoted
from ops.review.diff.snapshot import Snapshot
from ops.review.diff.values import load_yaml

_TARGETS = f"{TARGETS_FOLDER}/"


def in_files(snapshot: Snapshot) -> set[str]:
    """Return all targets in the files."""
    return {target for text in snapshot.texts(_TARGETS).values() for target in _targets(text)}


def items(before: Snapshot, after: Snapshot, listed: Collection[str]) -> Iterator[Item]:
    """Return changes by file; `listed` are the targets found otherwise in the new version."""
    old, new = before.texts(_TARGETS), after.texts(_TARGETS)
    left = in_files(after).union(listed)
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        was, now = _targets(old.get(path)), _targets(new.get(path))
        added, removed = (
            [one for one in part if one not in other] for part, other in ((now, was), (was, now))
        )
        fields = [
            *([Field.of(Kind.ADDED, "targets added", ", ".join(added))] if added else []),
            *([Field.of(Kind.REMOVED, "targets removed", ", ".join(removed))] if removed else []),
            *(
                Field(f"labels of {target}", was[target], now[target])
                for target in was
                if target in now and was[target] != now[target]
            ),
        ]
        lost = [target for target in removed if target not in left]
        why: list[Line] = [("no alert covers any more ", *quoted(lost))] if lost else []
        kind = Kind.of(old.get(path), new.get(path))
        line: Line = ("file of backends ", Quote(path), f" {kind}")
        yield Item.judged(kind, path, line, why, fields)


def _targets(text: str | None) -> dict[str, str]:
    """Return the labels by target; empty if the file is missing or invalid."""
    groups = load_yaml(text)
    return {
        str(target): json.dumps(group.get("labels") or {}, sort_keys=True)
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, dict) and isinstance(group.get("targets"), list)
        for target in group["targets"]
    }
