"""Reads the settings of a stack from Pulumi config and words what is wrong with them.

All faults are told at once, before any resource is registered: each with what is wrong, where
it is set and the command that mends it.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from components.common.problems import PartFaults
from components.settings import secrets as secret_parts
from components.settings.settings import Settings

NAMESPACE = "vitalstream"

# What a key is told to be that has to go, and not to have another value.
_NOTHING_OF_OURS = ("setting", "service", "alert of", "header to set")
_ADVICE = {
    "extra_forbidden": "is no setting of this program",
    "missing": "is missing",
}


class SettingsError(pulumi.RunError):
    """The settings are wrong; the message lists every fault. Nothing has been touched."""


@dataclass(frozen=True)
class Fault:
    """One wrong setting: its path below `vitalstream:`, what is wrong, and the value as JSON.

    `mend` is what to do about it where that is no command on this path.
    """

    path: str
    problem: str
    value: str | None = None
    mend: str | None = None


def load(stack: str) -> Settings:
    """The settings of the running stack. Raises SettingsError."""
    prefix = f"{NAMESPACE}:"
    values = {
        key.removeprefix(prefix): value
        for key, value in {
            **runtime_config.get_config_env(),
            **runtime_config.CONFIG.get(),
        }.items()
        if key.startswith(prefix)
    }
    secret_keys = {
        key.removeprefix(prefix)
        for key in (
            *runtime_config.get_config_secret_keys_env(),
            *runtime_config._SECRET_KEYS.get(),
        )
        if key.startswith(prefix)
    }
    return parse(stack, values, secret_keys)


def parse(stack: str, values: Mapping[str, str], secret_keys: Iterable[str]) -> Settings:
    """Settings from config values as Pulumi hands them over: text, with JSON for structure.

    Raises SettingsError.
    """
    raw: dict[str, Any] = {"stack": stack}
    faults: list[Fault] = []
    secrets = set(secret_keys)
    for key, text in values.items():
        field = _field_of(key)
        if field is None:
            faults.append(Fault(key, _unknown(key, _keys())))
            continue
        try:
            raw[key] = _decode(field, text)
        except ValueError:
            hidden = key in secrets or secret_parts.has_any(field)
            shown = None if hidden else json.dumps(text)
            faults.append(Fault(key, "is not what its type in Pulumi.yaml asks for", shown))
            continue
        if key not in secrets:
            # Pulumi holds the whole of a setting for secret that has a secret part.
            faults += [
                Fault(".".join((key, *path)), "stands in clear text: it is a secret")
                for path, _ in secret_parts.of(field, raw[key])
            ]
    for key in secret_settings():
        raw.setdefault(key, "")
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        for details in _causes(error):
            faults.extend(_faults(raw, details, secrets))
    else:
        if not faults:
            return settings
    raise SettingsError(_message(stack, faults))


def _fields() -> dict[str, Any]:
    return {
        to_camel(name): field.annotation
        for name, field in Settings.model_fields.items()
        if name != "stack"
    }


def _keys() -> list[str]:
    return sorted(_fields())


def _field_of(key: str) -> Any:
    return _fields().get(key)


def secret_settings() -> list[str]:
    """Their keys. Not set, they are empty: `is missing` is then said like any other fault."""
    return [key for key, annotation in _fields().items() if secret_parts.is_secret(annotation)]


def is_structure(key: str) -> bool:
    """Whether a setting is a list or an object, and its text JSON."""
    return _is_structure(_field_of(key))


def secret_places(key: str, value: Any) -> dict[secret_parts.Path, str]:
    """The secrets in a setting's value, as it is in a stack file, by their paths below it."""
    return dict(secret_parts.of(_field_of(key), value))


def secret_values(values: Mapping[str, str]) -> dict[str, str]:
    """The secrets in config values as Pulumi hands them over, by their paths as Pulumi has them."""
    found: dict[str, str] = {}
    for key, text in values.items():
        try:
            value = _decode(_field_of(key), text)
        except ValueError:
            continue
        found |= {
            pulumi_path(".".join((key, *path))): secret
            for path, secret in secret_places(key, value).items()
        }
    return found


def _is_structure(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is types.UnionType:
        return any(_is_structure(member) for member in get_args(annotation))
    if origin in (tuple, list, dict):
        return True
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _decode(annotation: Any, text: str) -> Any:
    if annotation is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else text
    return json.loads(text) if _is_structure(annotation) else text


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return "is no setting of this program" + (f"; did you mean {close[0]}?" if close else "")


def _causes(error: ValidationError) -> list[Any]:
    """Without the "too short" of a list whose only element is the real fault."""
    errors = error.errors()
    return [
        details
        for details in errors
        if details["type"] != "too_short"
        or not any(other is not details and _is_below(other, details) for other in errors)
    ]


def _is_below(details: Any, parent: Any) -> bool:
    return bool(details["loc"][: len(parent["loc"])] == parent["loc"])


def _faults(raw: Mapping[str, Any], details: Any, secrets: set[str]) -> list[Fault]:
    cause = details.get("ctx", {}).get("error")
    if not isinstance(cause, PartFaults):
        return [_fault(raw, details, secrets)]
    # A field that is not set is told by its own name and not by its key.
    key = to_camel(str(details["loc"][0]))
    above = [key, *_location(details)[1:]]
    return [
        Fault(
            ".".join((*above, *part.path)),
            part.problem,
            None if key in secrets or part.hidden else _shown(raw, [*above, *part.path]),
            part.mend,
        )
        for part in cause.faults
    ]


def _location(details: Any) -> list[str]:
    return [str(part) for part in details["loc"] if part not in ("[key]", "tuple")]


def _fault(raw: Mapping[str, Any], details: Any, secrets: set[str]) -> Fault:
    location = _location(details)
    message: str = details["msg"].removeprefix("Value error, ")
    # Pydantic's "a valid dictionary or instance of LimitOverride".
    message = message.partition(" or instance of ")[0]
    problem = _ADVICE.get(details["type"], message)
    if details["type"] not in _ADVICE and details["type"] != "value_error":
        problem = f"is wrong: {message[0].lower()}{message[1:]}"
    path = ".".join(location)
    return Fault(path, problem, None if location[0] in secrets else _shown(raw, location))


def _shown(raw: Mapping[str, Any], location: list[str]) -> str | None:
    """The value as it stands in the stack file, or nothing where it is secret, absent or several
    lines long, such as a certificate (or the key that was taken for one).

    Of a setting with secrets in it, only a part that is known to have none: `pasword` is one too.
    """
    setting = _field_of(location[0])
    known = secret_parts.at(setting, location[1:])
    if secret_parts.has_any(setting) and (known is None or secret_parts.has_any(known)):
        return None
    value: Any = raw
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    # A certificate fills a screen, and nobody reads it.
    if isinstance(value, str) and "\n" in value.strip():
        return None
    return json.dumps(value, ensure_ascii=False)


def _message(stack: str, faults: list[Fault]) -> str:
    count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
    lines = [f"{count} wrong in Pulumi.{stack}.yaml; nothing was touched."]
    for fault in faults:
        value = "" if fault.value is None else f" = {fault.value}"
        lines += [
            "",
            f"  {NAMESPACE}:{fault.path}{value}",
            f"    {fault.problem}",
            f"    mend: {_mend(stack, fault)}",
        ]
    return "\n".join(lines)


def _mend(stack: str, fault: Fault) -> str:
    if fault.mend:
        return fault.mend
    key, _, rest = fault.path.partition(".")
    annotation = _field_of(key)
    if annotation is None:
        return f"pulumi config rm {fault.path} --stack {stack}"
    is_secret = secret_parts.is_secret(secret_parts.at(annotation, rest.split(".") if rest else ()))
    flag = " --secret" if is_secret else ""
    if any(f"is no {what}" in fault.problem for what in _NOTHING_OF_OURS):
        return f"pulumi config rm --path '{pulumi_path(fault.path)}' --stack {stack}"
    # A secret is asked for at the prompt: on the command line it would stay in the shell's history.
    if rest:
        value = "" if flag else " VALUE"
        return f"pulumi config set{flag} --path '{pulumi_path(fault.path)}'{value} --stack {stack}"
    if _is_structure(annotation):
        return f"edit {NAMESPACE}:{key} in Pulumi.{stack}.yaml; Pulumi.yaml describes it"
    value = "" if flag else f" {_example(key)}"
    return f"pulumi config set{flag} {key}{value} --stack {stack}"


def _example(key: str) -> str:
    default = next(
        field.default for name, field in Settings.model_fields.items() if to_camel(name) == key
    )
    return json.dumps(default).strip('"') or "VALUE"


def pulumi_path(path: str) -> str:
    """`remoteWrite[0].password` for `remoteWrite.0.password`."""
    return "".join(
        f"[{part}]" if part.isdigit() else f".{part}" if index else part
        for index, part in enumerate(path.split("."))
    )
