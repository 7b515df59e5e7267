"""Backends that are found in files: which come and which go."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from components.discovery import FOLDER
from ops.diff.report import Field, Item, Kind, Line, Mark, Quote
from ops.diff.snapshot import Snapshot

_TARGETS = f"{FOLDER}/"


def items(before: Snapshot, after: Snapshot) -> Iterator[Item]:
    old, new = before.texts(_TARGETS), after.texts(_TARGETS)
    for path in sorted({*old, *new}):
        if old.get(path) == new.get(path):
            continue
        was, now = _targets(old.get(path, "")), _targets(new.get(path, ""))
        gone = [target for target in was if target not in now]
        fields = (
            *_field("targets added", now, was),
            *_field("targets removed", was, now),
            *(
                Field(f"labels of {target}", was[target], now[target])
                for target in was
                if target in now and was[target] != now[target]
            ),
        )
        why: tuple[Line, ...] = (("what is removed is let go without an alert",),) if gone else ()
        kind = Kind.CHANGED if path in old and path in new else Kind.ADDED
        kind = Kind.REMOVED if path not in new else kind
        line: Line = ("file of backends ", Quote(path), f" {kind}")
        yield Item(kind, path, line, Mark.CAUTION if gone else Mark.NONE, why, fields)


def _field(name: str, those: Mapping[str, str], without: Mapping[str, str]) -> Iterator[Field]:
    if found := [target for target in those if target not in without]:
        added = name.endswith("added")
        listed = ", ".join(found)
        yield Field(name, None if added else listed, listed if added else None)


def _targets(text: str) -> dict[str, str]:
    """Each target's labels; none of a file that nobody can read."""
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
