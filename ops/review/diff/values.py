"""Comparison of plain values, part by part."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, Final

import yaml

from components.common import yaml_text
from ops.review.diff.snapshot import UNKNOWN, is_secret

Path = tuple[str | int, ...]

_SECRET_IN_TEXT = re.compile(r"\[secret [0-9a-f]{16}\]")


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Change:
    """Changed part; `old` or `new` is ABSENT if added or removed."""

    path: Path
    old: Any
    new: Any

    @property
    def where(self) -> str:
        return path_text(self.path)


def changes(old: Any, new: Any, path: Path = ()) -> list[Change]:
    """Return the smallest changed parts; list elements are aligned."""
    return list(_changes(old, new, path))


def same(old: Any, new: Any) -> bool:
    return next(_changes(old, new, ()), None) is None


@lru_cache(maxsize=32)
def load_yaml(text: str | None) -> Any:
    """Return the content of a YAML text; None if there is none or it is invalid.

    The content is cached by its text: callers must not change it.
    """
    try:
        return None if text is None else yaml_text.load(text)
    except yaml.YAMLError:
        return None


def path_text(path: Path) -> str:
    """Format a path as Pulumi does: `files["rules/host.yml"]`, `ports[0].external`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def shown(value: Any) -> str:
    """Format a value on one line, with secrets masked."""
    if value is ABSENT:
        return "(none)"
    if isinstance(value, str):
        return "(known after up)" if value == UNKNOWN else without_fingerprints(value)
    text = json.dumps(_masked(value), ensure_ascii=False, sort_keys=True, default=str)
    return text.strip('"') if is_secret(value) else text


def without_fingerprints(text: str) -> str:
    """Replace the fingerprints of secrets by `[secret]`."""
    return _SECRET_IN_TEXT.sub("[secret]", text)


def _masked(value: Any) -> Any:
    if is_secret(value):
        return "[secret]"
    if isinstance(value, Mapping):
        return {str(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        return shown(value)
    return value


def _changes(old: Any, new: Any, path: Path) -> Iterator[Change]:
    if _equal(old, new):
        return
    if is_secret(old) or is_secret(new):
        if old != new:
            yield Change(path, old, new)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from _changes(old.get(key, ABSENT), new.get(key, ABSENT), (*path, str(key)))
    elif _is_list(old) and _is_list(new):
        yield from _list_changes(old, new, path)
    else:
        yield Change(path, old, new)


def _equal(old: Any, new: Any) -> bool:
    # True is 1 to Python, and a change of a type to a reader.
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return bool(old == new) and old is not ABSENT and not isinstance(old, Mapping | list | tuple)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _list_changes(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Change]:
    before, after = (
        [json.dumps(x, sort_keys=True, default=str) for x in part] for part in (old, new)
    )
    for op, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if op == "equal":
            continue
        shared = min(i2 - i1, j2 - j1)
        for step in range(shared):
            yield from _changes(old[i1 + step], new[j1 + step], (*path, j1 + step))
        for index in range(i1 + shared, i2):
            yield Change((*path, index), old[index], ABSENT)
        for index in range(j1 + shared, j2):
            yield Change((*path, index), ABSENT, new[index])
