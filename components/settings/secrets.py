"""Find the secrets in a setting's value by the types of the settings.

A part is named by its path below the setting, as in `("0", "password")`.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from components.common.redaction import redact_value

Path = tuple[str, ...]
UPSTREAM = "the schema of another program"
"""Marks, in `Annotated`, a part that is passed through: its secrets are known by their names."""
SECTIONS = "sections of Grafana's configuration"
"""Marks a section of grafana.ini, whose secrets are known by the ends of their names."""
_MARKS = (UPSTREAM, SECTIONS)
_SECRET_KEY = re.compile(
    r"(?:pass(?:word|wd)|secret|token|(?:access|account|api|encryption|private|secret|signing)_key)$"
)
# Of Alertmanager's receivers, Prometheus' discoveries and the HTTP clients of both, without the
# `_file` that most of them have.
SECRET_FIELDS = frozenset(
    {
        "alert_source_token", "api_key", "api_secret", "app_token", "application_credential_secret",
        "application_secret", "auth_password", "auth_secret", "auth_token", "bearer_token",
        "bearerToken",
        "bot_token", "client_secret", "consumer_key", "credentials", "password", "routing_key",
        "service_key", "token", "token_id", "user_key", "webhook_url", "secret_key", "secrets",
    }
)  # fmt: skip
FIELDS_WITHOUT_FILE = frozenset({"secret_key", "secrets"})


def find_secrets(annotation: Any, value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield path and text of each secret that is not empty, in a value of any shape."""
    if value in ("", None) or isinstance(value, bool):
        return
    passed_on = any(mark in _options(annotation) for mark in _MARKS) and isinstance(value, str)
    if is_secret(annotation) or (passed_on and _shows_a_secret(value)):
        yield path, value if isinstance(value, str) else json.dumps(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from find_secrets(_part(annotation, str(key)), item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from find_secrets(_part(annotation, str(index)), item, (*path, str(index)))


def _shows_a_secret(text: str) -> bool:
    return "PRIVATE KEY" in text or redact_value(text) != text


def is_secret(annotation: Any) -> bool:
    return SecretStr in _options(annotation)


def contains_secret(annotation: Any) -> bool:
    """Return whether a type is, or contains, a secret."""
    return any(
        option in (SecretStr, *_MARKS) or any(map(contains_secret, _parts_of(option)))
        for option in _options(annotation)
    )


def type_at(annotation: Any, path: Sequence[str]) -> Any:
    """Return the type of the part at a path, or None for an unknown path."""
    for key in path:
        annotation = _part(annotation, key)
    return annotation


def _part(annotation: Any, key: str) -> Any:
    for option in _options(annotation):
        if option in _MARKS:
            # The names of labels are the user's own.
            if key == "labels":
                return None
            hidden = key in SECRET_FIELDS if option is UPSTREAM else _SECRET_KEY.search(key)
            return SecretStr if hidden else option
        if _is_model(option):
            for name, field in option.model_fields.items():
                if key in (name, field.alias):
                    return Annotated[field.annotation, *field.metadata, None]
        elif get_origin(option) is dict:
            return get_args(option)[1]
        elif get_origin(option) in (tuple, list) and key.isdigit():
            return get_args(option)[0]
    return None


def _parts_of(option: Any) -> list[Any]:
    if _is_model(option):
        return [field.annotation for field in option.model_fields.values()]
    return [found for found in get_args(option) if found is not Ellipsis]


def _options(annotation: Any) -> list[Any]:
    """Return the members of a union, without the metadata of `Annotated`."""
    if get_origin(annotation) is Annotated:
        found, *marks = get_args(annotation)
        return [mark for mark in _MARKS if mark in marks] or _options(found)
    if get_origin(annotation) in (types.UnionType, Union):
        return [option for found in get_args(annotation) for option in _options(found)]
    return [annotation]


def _is_model(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)
