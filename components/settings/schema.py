"""Config keys of the settings: names, types and decoding of their text."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from components.settings.secrets import find_secrets, is_secret
from components.settings.settings import Settings

NAMESPACE = "vitalstream"


@cache
def _types() -> dict[str, Any]:
    return {
        to_camel(name): Annotated[field.annotation, *field.metadata, None]
        for name, field in Settings.model_fields.items()
        if name != "stack"
    }


@cache
def _defaults() -> dict[str, Any]:
    return {to_camel(name): field.default for name, field in Settings.model_fields.items()}


def keys() -> list[str]:
    return sorted(_types())


def type_of(key: str) -> Any:
    """Return the type of a setting; None for an unknown setting."""
    return _types().get(key)


def default_of(key: str) -> Any:
    return _defaults()[key]


def secret_settings() -> list[str]:
    """Return the keys of the settings that are secret as a whole."""
    return [key for key, annotation in _types().items() if is_secret(annotation)]


def is_structure(key: str) -> bool:
    """Return whether a setting is a list or an object, written as JSON."""
    return _is_structure(type_of(key))


def decode(key: str, text: str) -> Any:
    """Decode a config value as Pulumi passes it: text, or JSON. Raises ValueError."""
    if is_structure(key):
        return json.loads(text)
    if bool in (type_of(key), *get_args(type_of(key))) and text in ("true", "false"):
        return text == "true"
    return text


def secret_places(key: str, value: Any) -> dict[tuple[str, ...], str]:
    """Return the secrets in a setting's value from a stack file, by their paths below it."""
    return dict(find_secrets(type_of(key), value))


def pulumi_path(path: str | Sequence[str]) -> str:
    """`remoteWrite[0].password` for `remoteWrite.0.password`; a part with a dot is quoted."""
    return "".join(
        f"[{part}]"
        if part.isdigit()
        else f'["{part}"]'
        if "." in part
        else f".{part}"
        if index
        else part
        for index, part in enumerate(path.split(".") if isinstance(path, str) else path)
    )


def _is_structure(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_structure(get_args(annotation)[0])
    if origin is types.UnionType:
        return any(_is_structure(member) for member in get_args(annotation))
    if origin in (tuple, list, dict):
        return True
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
