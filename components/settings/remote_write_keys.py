"""The keys of a remote write receiver: Prometheus' own, and the older ones of this project.

An entry with older keys renders as it did before.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from components.common.problems import Problem
from components.promql.metric_allowlist import series_of, written_metric

Path = tuple[str, ...]
_QUEUE = {
    "capacity": 10_000,
    "max_shards": 50,
    "min_shards": 1,
    "max_samples_per_send": 2_000,
    "batch_send_deadline": "5s",
    "min_backoff": "30ms",
    "max_backoff": "5s",
    # Prometheus' own default loses what a receiver is too busy for.
    "retry_on_http_429": True,
}
"""Defaults: those of Prometheus 3, except the last."""
_OLDER: dict[str, Path] = {
    "tenant": ("headers", "X-Scope-OrgID"),
    "username": ("basic_auth", "username"),
    "password": ("basic_auth", "password"),
    "bearerToken": ("authorization", "credentials"),
    "ca": ("tls_config", "ca"),
    "serverName": ("tls_config", "server_name"),
    "keep": ("write_relabel_configs",),
    "drop": ("write_relabel_configs",),
    "writeRelabel": ("write_relabel_configs",),
    "queue": ("queue_config",),
}
_OBJECTS = ("headers", "basic_auth", "authorization", "tls_config", "queue", "queue_config")
_LISTS = ("keep", "drop", "writeRelabel", "write_relabel_configs")
_RULE = ("source_labels", "separator", "regex", "modulus", "target_label", "replacement")


def problems(entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what prevents the translation of an entry."""
    for key in ("name", "url"):
        if not isinstance(entry.get(key), str):
            yield Problem((key,), "is missing" if key not in entry else "is not text")
    for key, value in entry.items():
        kind = "an object" if key in _OBJECTS else "a list" if key in _LISTS else ""
        if kind and not isinstance(value, Mapping if key in _OBJECTS else list):
            yield Problem((key,), f"is not {kind}", hidden=True)
        elif key in ("keep", "drop"):
            for index, name in enumerate(value):
                try:
                    written_metric(str(name))
                except ValueError as error:
                    yield Problem((key, str(index)), str(error))
        elif key not in _OLDER and (not key.islower() or _is_misspelt(key)):
            yield Problem((key,), "is an unknown setting", hidden=True, remove=True)
    for key, (section, *field) in _OLDER.items():
        there = entry.get(section)
        if field and key in entry and isinstance(there, Mapping) and field[0] in there:
            yield Problem((key,), f"is {section}.{field[0]}, which is set too: one of them")


def translated(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry with Prometheus' keys and with the defaults of the queue."""
    known: dict[str, Any] = {key: dict(entry.get(key, {})) for key in _OBJECTS if key != "queue"}
    # `pulumi config set --path` makes a number of a tenant or a user that is one.
    for key, (section, *field) in _OLDER.items():
        if field and entry.get(key):
            known[section] = {field[0]: str(entry[key]), **known[section]}
    known["headers"] = {name: str(value) for name, value in known["headers"].items()}
    if entry.get("bearerToken"):
        known["authorization"] = {"type": "Bearer", **known["authorization"]}
    own = {_snake(key): value for key, value in entry.get("queue", {}).items()}
    known["queue_config"] = _QUEUE | own | known["queue_config"]
    rules = [*_by_name(entry), *map(_rule, entry.get("writeRelabel", []))]
    found = {
        "name": entry["name"],
        "url": entry["url"],
        **{key: known.pop(key) for key in _OBJECTS[:4]},
        "write_relabel_configs": [*rules, *entry.get("write_relabel_configs", [])],
        **known,
    }
    return found | {key: entry[key] for key in entry if key not in (*_OLDER, *found)}


def as_written(entry: Mapping[str, Any], path: Path) -> Path:
    """Return the path of a problem by the keys of the entry."""
    for key, new in _OLDER.items():
        older = any(other in entry for other, there in _OLDER.items() if there[0] == new[0])
        if path[: len(new)] == new and (key in entry or (older and new[0] not in entry)):
            return (key, *(to_camel(part) for part in path[len(new) :]))
    return path


def _is_misspelt(key: str) -> bool:
    """Return whether a key looks like one of a secret, which its file would show."""
    secrets = ("password", "bearer_token", "bearer_token_file")
    return key not in secrets and bool(difflib.get_close_matches(key, secrets, cutoff=0.8))


def _snake(key: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])|(?<=[a-z])(?=429)", "_", key).lower()


def _by_name(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for action in ("keep", "drop"):
        if names := entry.get(action):
            regex = "|".join(series_of(str(name)) for name in names)
            yield {"action": action, "source_labels": ["__name__"], "regex": regex}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    given = {_snake(key): value for key, value in rule.items() if value is not None}
    first = {"action": given.pop("action", "replace")}
    return first | {key: given.pop(key) for key in _RULE if key in given} | given
