"""Reads the settings of a stack from Pulumi config.

All problems are reported at once, before any resource is registered.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
import yaml
from pulumi.runtime import config as runtime_config
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.common import yaml_text
from components.common.problems import Problem, Problems
from components.settings import fixes, messages, schema
from components.settings.messages import WrongSetting
from components.settings.settings import Settings
from components.user_files.paths import PROJECT_DIR

# Names of other programs' settings for what Alertmanager calls a receiver.
_OF_A_RECEIVER = re.compile(
    r"(?i)(teams|pager_?duty|telegram|discord|opsgenie|mattermost|rocketchat|pushover|webhookurl)"
)
_WORDS = {"extra_forbidden": "is an unknown setting", "missing": "is missing"}


class SettingsError(pulumi.RunError):
    """Raised for invalid settings; the message lists every problem. Nothing has been touched."""


def load(stack: str) -> Settings:
    """Return the settings of the running stack. Raises SettingsError."""
    prefix = f"{schema.NAMESPACE}:"
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
    return parse(stack, values, secret_keys, _written(stack))


def parse(
    stack: str,
    values: Mapping[str, str],
    secret_keys: Iterable[str],
    written: Mapping[str, Any] = types.MappingProxyType({}),
) -> Settings:
    """Return the settings of config values as Pulumi passes them: text, with JSON for structure.

    `written` is what the stack's file has, encrypted parts as `{secure: ...}`. Raises
    SettingsError.
    """
    raw: dict[str, Any] = {"stack": stack}
    wrong: list[WrongSetting] = []
    secrets = set(secret_keys)
    for key, text in values.items():
        if schema.type_of(key) is None:
            wrong.append(WrongSetting((key,), _unknown(key), remove=True))
            continue
        try:
            raw[key] = schema.decode(key, text)
        except ValueError:
            shown = messages.Value(text, hidden=key in secrets)
            wrong.append(WrongSetting((key,), "is not of the type that Pulumi.yaml has", shown))
            continue
        # Pulumi treats the whole of a setting as secret that has a secret part.
        wrong += [
            WrongSetting(
                (key, *path),
                "is a secret: set it with --secret",
                fix=fixes.set_secret((key, *path), stack),
            )
            for path, text in schema.secret_places(key, raw[key]).items()
            if key not in secrets or _is_clear(written, (key, *path), text)
        ]
    for key in schema.secret_settings():
        raw.setdefault(key, "")
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        for details in _causes(error):
            wrong.extend(_wrong(raw, details, secrets))
    else:
        if not wrong:
            return settings
    raise SettingsError(messages.message(stack, wrong))


def secret_values(values: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets in config values as Pulumi passes them, by their Pulumi paths."""
    found: dict[str, str] = {}
    for key, text in values.items():
        try:
            value = schema.decode(key, text)
        except ValueError:
            continue
        found |= {
            schema.pulumi_path(".".join((key, *path))): secret
            for path, secret in schema.secret_places(key, value).items()
        }
    return found


def _written(stack: str) -> Mapping[str, Any]:
    """Return the stack file's values by key; empty if it is missing or unreadable."""
    try:
        found = yaml_text.load((PROJECT_DIR / f"Pulumi.{stack}.yaml").read_text())["config"]
        return {key.removeprefix(f"{schema.NAMESPACE}:"): value for key, value in found.items()}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return {}


def _is_clear(written: Mapping[str, Any], path: tuple[str, ...], secret: str) -> bool:
    """Return whether the stack file has a clear-text secret, also beside an encrypted one."""
    found = _value(written, path, hidden=True)
    if found is None:
        return False
    return secret == (found.value if isinstance(found.value, str) else json.dumps(found.value))


def _unknown(key: str) -> str:
    if _OF_A_RECEIVER.match(key):
        page = "docs/operations/notifications.md"
        return f"{_WORDS['extra_forbidden']}; it belongs into vitalstream:receivers ({page})"
    close = difflib.get_close_matches(key, schema.keys(), n=1, cutoff=0.6)
    return _WORDS["extra_forbidden"] + (f"; did you mean {close[0]}?" if close else "")


def _causes(error: ValidationError) -> list[Any]:
    """Return the errors, less the "too short" of a list whose only element is invalid."""
    errors = error.errors()
    return [
        details
        for details in errors
        if details["type"] != "too_short"
        or not any(other is not details and _is_below(other, details) for other in errors)
    ]


def _is_below(details: Any, parent: Any) -> bool:
    return bool(details["loc"][: len(parent["loc"])] == parent["loc"])


def _wrong(raw: Mapping[str, Any], details: Any, secrets: set[str]) -> list[WrongSetting]:
    cause = details.get("ctx", {}).get("error")
    location = tuple(str(part) for part in details["loc"] if part not in ("[key]", "tuple"))
    # The error of a field that is not set has its Python name.
    path = (to_camel(location[0]), *location[1:])
    unknown = "[key]" in details["loc"] or details["type"] == "extra_forbidden"
    if not isinstance(cause, Problems):
        shown = _value(raw, path, hidden=path[0] in secrets)
        return [WrongSetting(path, _text(details), shown, remove=unknown)]
    return [_of_part(raw, path, problem, secrets, unknown=unknown) for problem in cause.problems]


def _of_part(
    raw: Mapping[str, Any],
    path: tuple[str, ...],
    problem: Problem,
    secrets: set[str],
    *,
    unknown: bool,
) -> WrongSetting:
    above = (to_camel(problem.setting),) if problem.setting else path
    whole = (*above, *problem.path)
    hidden = problem.hidden or whole[0] in secrets
    return WrongSetting(
        whole,
        problem.text,
        _value(raw, whole, hidden=hidden),
        problem.fix,
        remove=problem.remove or unknown,
    )


def _text(details: Any) -> str:
    message: str = details["msg"].removeprefix("Value error, ")
    # Pydantic's "a valid dictionary or instance of LimitOverride".
    message = message.partition(" or instance of ")[0]
    if details["type"] in _WORDS:
        return _WORDS[details["type"]]
    if details["type"] == "value_error":
        return message
    return f"is wrong: {message[0].lower()}{message[1:]}"


def _value(raw: Mapping[str, Any], path: tuple[str, ...], *, hidden: bool) -> messages.Value | None:
    """Return the value at a path, or None."""
    value: Any = raw
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return messages.Value(value, hidden=hidden)
