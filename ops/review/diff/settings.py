"""Settings that changed: those that the stack's file sets, and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.common.redaction import redact_value
from ops.review.diff.comparison import Comparison
from ops.review.diff.report import Field, Item, Kind, Line, Quote
from ops.review.diff.snapshot import Setting, is_secret
from ops.review.diff.values import ABSENT, Change, changes, shown

_UNSET: tuple[Any, ...] = (ABSENT, "", None, [], {})


def items(comparison: Comparison) -> list[Item]:
    """None where the source knows no settings."""
    before, after = comparison.before.settings, comparison.after.settings
    if before is None or after is None:
        return []
    return [
        _item(change, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        for change in _changes(key, before.get(key), after.get(key))
    ]


def _changes(key: str, old: Setting | None, new: Setting | None) -> Iterator[Change]:
    was, now = (ABSENT if one is None else one.value for one in (old, new))
    # A knob that is new, and that nobody has set, has the value that it had.
    if was in _UNSET and now in _UNSET:
        return
    yield from changes(was, now, (key,))


def _item(change: Change, old: Setting | None, new: Setting | None) -> Item:
    name = change.where
    if is_secret(change.old) or is_secret(change.new):
        return _secret_item(change, name)
    absent = (change.old in _UNSET, change.new in _UNSET)
    kind = Kind.ADDED if absent[0] else Kind.REMOVED if absent[1] else Kind.CHANGED
    old_value, new_value = (redact_value(one, _key(change)) for one in (change.old, change.new))
    field = Field(name, _text(old_value, old), _text(new_value, new))
    return Item(kind, name, ("setting ", Quote(name), f" {kind}"), fields=(field,))


def _secret_item(change: Change, name: str) -> Item:
    line: Line = ("secret ", Quote(name), " changed, or encrypted again")
    kind = Kind.CHANGED
    if change.old in _UNSET:
        kind, line = Kind.ADDED, ("secret ", Quote(name), " now set in the stack's file")
    elif change.new in _UNSET:
        kind, line = Kind.REMOVED, ("secret ", Quote(name), " no longer set in the stack's file")
    return Item(kind, name, line)


def _key(change: Change) -> str:
    """Return the last name of a path, by which an unknown setting may look like a secret."""
    return next((part for part in reversed(change.path) if isinstance(part, str)), "")


def _text(value: Any, setting: Setting | None) -> str | None:
    if value is ABSENT:
        return None
    default = setting is not None and not setting.in_stack_file
    return f"{shown(value)} (default)" if default else shown(value)
