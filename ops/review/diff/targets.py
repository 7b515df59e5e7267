"""Changes of backends in discovery files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from components.settings.discovery import FOLDER
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote, quoted
from ops.review.diff.snapshot import Snapshot

_TARGETS = f"{FOLDER}/"


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
        was, now = _targets(old.get(path, "")), _targets(new.get(path, ""))
        lost = [target for target in was if target not in left]
        fields = (
            *_field("targets added", now, was),
            *_field("targets removed", was, now),
            *(
                Field(f"labels of {target}", was[target], now[target])
                for target in was
                if target in now and was[target] != now[target]
            ),
        )
        why: tuple[Line, ...] = (("no alert covers any more ", *quoted(lost)),) if lost else ()
        kind = Kind.CHANGED if path in old and path in new else Kind.ADDED
        kind = Kind.REMOVED if path not in new else kind
        line: Line = ("file of backends ", Quote(path), f" {kind}")
        yield Item(kind, path, line, Mark.WEAKER if lost else Mark.NONE, why, fields)


def _field(name: str, those: Mapping[str, str], without: Mapping[str, str]) -> Iterator[Field]:
    if found := [target for target in those if target not in without]:
        added = name.endswith("added")
        listed = ", ".join(found)
        yield Field(name, None if added else listed, listed if added else None)


def _targets(text: str) -> dict[str, str]:
    """Return the labels by target; empty if the file is invalid."""
    try:
        groups: Any = yaml.safe_load(text) or []
    except yaml.YAMLError:
        return {}
    return {
        str(target): json.dumps(group.get("labels") or {}, sort_keys=True)
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, dict) and isinstance(group.get("targets"), list)
        for target in group["targets"]
    }
