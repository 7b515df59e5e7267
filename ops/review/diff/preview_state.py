"""Conversion of a resource in the engine's state to registered inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ops.review.diff.snapshot import CONFIG_FILES, DASHBOARD, SECRET, Address, Resource, provider_of

# What the engine writes in the place of a secret.
MASKED = {SECRET: "masked"}
_MASK = "[secret]"
_DEFAULTS = "__defaults"
_INTERNAL = ("__defaults", "__provider", "__meta", "__pulumi_raw_state_delta")
# Their providers read back what they were given, so that any difference is somebody's.
DRIFTING_OUTPUTS = {CONFIG_FILES: ("files", "secret_files")}


def resource(address: Address, state: Mapping[str, Any]) -> Resource:
    return Resource(
        address=address,
        inputs=_plain(state.get("inputs") or {}),
        custom=bool(state.get("custom")),
        protect=bool(state.get("protect")),
        replace_on_changes=tuple(state.get("replaceOnChanges") or ()),
        ignore_changes=tuple(state.get("ignoreChanges") or ()),
        deleted_with=_address(state.get("deletedWith") or ""),
        dependencies=frozenset(map(_address, state.get("dependencies") or ())),
        provider=provider_of(address.type, str(state.get("provider") or "")),
    )


def output(old: Resource, outputs: Mapping[str, Any], name: str) -> Any:
    """Return an input's current value; the provider drops the ids of a dashboard's panels."""
    found = _plain(outputs.get(name))
    if old.type == DASHBOARD and name == "configJson":
        return _with_ids(str(old.inputs.get(name)), found)
    return found


def _plain(value: Any) -> Any:
    """Remove a provider's defaults and the engine's internal keys."""
    if value == _MASK:
        return MASKED
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    filled_in = {*_INTERNAL, *(value.get(_DEFAULTS) or ())}
    return {key: _plain(item) for key, item in value.items() if key not in filled_in}


def _address(urn: str) -> str:
    return str(Address.parse(urn)) if urn else ""


def _with_ids(asked: str, found: Any) -> Any:
    try:
        old, new = json.loads(asked), json.loads(found)
        ids = {panel["title"]: panel["id"] for panel in old["panels"]}
        for panel in new["panels"]:
            if "id" not in panel and panel.get("title") in ids:
                panel["id"] = ids[panel["title"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return found
    return json.dumps(new, indent=2, sort_keys=True)
