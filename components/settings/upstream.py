"""Parts in the schema of another program: their values by paths, and their secrets as files."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from components.common.problems import Problem
from components.settings.secrets import FIELDS_WITHOUT_FILE, SECRET_FIELDS, Path

LOGIN = re.compile(r"[a-z0-9+.-]*://[^/\s]*@", re.IGNORECASE)
"""The beginning of a URL with a login."""
# Of Prometheus' HTTP clients, its discoveries and its remote write.
_WITH_FILE = {
    ("authorization", "credentials"),
    ("basic_auth", "password"),
    ("google_iam", "credentials"),
    ("oauth2", "client_secret"),
    ("tls_config", "key"),
}
_ALWAYS_WITH_FILE = ("auth_token", "bearer_token")
_NAMES_OF_THE_USER = ("headers", "labels", "params")
NO_FILE = (
    "cannot be kept secret: Prometheus reads it from its configuration alone and may show it; "
    "authorization, basic_auth and oauth2 take a secret, which becomes a file"
)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value with its path; a secret that is not text is one value."""
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


def becomes_file(path: Path) -> bool:
    """Return whether Prometheus reads the secret at a path from a file too."""
    if not {*_NAMES_OF_THE_USER}.isdisjoint(path):
        return False
    of_scaleway = path[-1] == "secret_key" and path[0] == "scaleway_sd_configs"
    return path[-2:] in _WITH_FILE or path[-1] in _ALWAYS_WITH_FILE or of_scaleway


def secret_leaves(entry: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the secrets of a part of Prometheus' configuration that become files."""
    for path, value in leaves(entry):
        if becomes_file(path) and isinstance(value, str | int) and value != "":
            yield path, str(value)


def leaf_problem(path: Path, value: Any) -> Problem | None:
    """Return what promtool cannot see of a value: a secret or a file where none can be."""
    field = path[-1]
    own = not {*_NAMES_OF_THE_USER}.isdisjoint(path[:-1])
    if any(becomes_file(path[:end]) for end in range(1, len(path))):
        return Problem(path, "is not text, as a secret is", hidden=True, remove=True)
    if field in SECRET_FIELDS and value and not own and not becomes_file(path):
        return Problem(path, NO_FILE, hidden=True, remove=True)
    if field.endswith("_file") and not own:
        return file_problem(path)
    if isinstance(value, str) and LOGIN.match(value):
        problem = "has a login in it, which Prometheus shows: basic_auth or authorization"
        return Problem(path, problem, hidden=True)
    return None


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
