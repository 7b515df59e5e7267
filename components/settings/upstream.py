"""Parts in the schema of another program: their values by paths, and their secrets as files."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from components.common.problems import Problem
from components.settings.secrets import FIELDS_WITHOUT_FILE, Path


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value with its path; a secret that is no text is one value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in FIELDS_WITHOUT_FILE:
                yield (*path, str(key)), item
            else:
                yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, str(index)))
    else:
        yield path, value


def file_problem(path: Path) -> Problem:
    """Return what is wrong with a field such as `password_file`, which names a file."""
    twin = path[-1].removesuffix("_file")
    return Problem(
        path,
        f"names a file that is not in the container: set {twin} with --secret, and it becomes one",
        remove=True,
    )


def with_files(
    entry: Mapping[str, Any], secrets: Iterable[Path], file: Callable[[Path], str]
) -> dict[str, Any]:
    """Return the entry with each secret replaced by its `_file` twin, which names a file."""
    found: dict[str, Any] = copy.deepcopy(dict(entry))
    for path in secrets:
        place: Any = found
        for part in path[:-1]:
            place = place[int(part)] if isinstance(place, list) else place[part]
        del place[path[-1]]
        place[f"{path[-1]}_file"] = file(path)
    return found


def file_name(path: Path) -> str:
    """Return the path as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", ".".join(path))
