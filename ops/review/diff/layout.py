"""Formatting-only changes of files: comments, order, layout."""

from __future__ import annotations

import json
from typing import Any

from ops.review.diff import rules
from ops.review.diff.snapshot import RULES_FOLDER
from ops.review.diff.values import Change, load_yaml, same


def is_formatting_only(change: Change) -> bool:
    """Return whether a changed text at `files["path"]` has the same content."""
    if len(change.path) != 2 or change.path[0] not in ("files", "secret_files"):
        return False
    path = str(change.path[1])
    if not isinstance(change.old, str) or not isinstance(change.new, str):
        return False
    if path.startswith(RULES_FOLDER):
        return rules.same(change.old, change.new)
    if path.endswith((".yml", ".yaml", ".json")):
        return _parsed_same(change.old, change.new)
    return False


def _parsed_same(old: str, new: str) -> bool:
    before, after = _load(old), _load(new)
    return None not in (before, after) and same(before, after)


def _load(text: str) -> Any:
    # JSON is YAML, but PyYAML does not take all of it.
    try:
        return json.loads(text)
    except ValueError:
        return load_yaml(text)
