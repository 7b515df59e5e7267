"""Previews as the engine writes them, of stacks that are compared here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.review.diff.comparison import Comparison, Op
from ops.review.diff.snapshot import (
    CONTAINER,
    Address,
    Resource,
    is_secret,
)

# What pulumi-docker fills in for a container, and names in `__defaults`.
FILLED_IN = {"mustRun": True, "networkMode": "bridge", "removeVolumes": True, "start": True}


def document(comparison: Comparison, **more: Any) -> dict[str, Any]:
    """Return the output of `pulumi preview --json --show-sames` for a comparison."""
    addresses = sorted({*comparison.before.resources, *comparison.after.resources})
    steps = [step(comparison, address) for address in addresses]
    counts = [found["op"] for found in steps]
    return {
        "config": {},
        "steps": steps,
        "diagnostics": [{"message": "warning: words\n", "severity": "warning"}],
        "duration": 1,
        "changeSummary": {op: counts.count(op) for op in sorted(set(counts))},
        **more,
    }


def step(comparison: Comparison, address: Address) -> dict[str, Any]:
    old, new = comparison.both(address)
    planned = comparison.steps.get(address)
    found: dict[str, Any] = {
        "op": str(planned.op) if planned else "same",
        "urn": urn(comparison, address),
        "detailedDiff": None,
    }
    if old:
        found["oldState"] = state(comparison, old)
    if new:
        found["newState"] = state(comparison, new)
    if planned and old and new and not address.type.startswith("pulumi-python:"):
        names = {str(change.path[0]) for change in comparison.input_changes(address)}
        found["diffReasons"] = sorted(names)
        # Of what goes along with a network the engine gives no reasons, not even its own.
        if planned.op is Op.REPLACE and not planned.because_of:
            found["replaceReasons"] = list(planned.replaced_for)
    return found


def state(comparison: Comparison, resource: Resource) -> dict[str, Any]:
    inputs = {key: masked(value) for key, value in resource.inputs.items()}
    if resource.type == CONTAINER:
        inputs |= {**FILLED_IN, "__defaults": sorted(FILLED_IN), "image": f"sha256:{'0' * 64}"}
    return {
        "urn": urn(comparison, resource.address),
        "custom": resource.custom,
        "type": resource.type,
        "inputs": {"__provider": "of its own", **inputs},
        "outputs": inputs,
        "protect": resource.protect,
        "replaceOnChanges": list(resource.replace_on_changes),
        "ignoreChanges": list(resource.ignore_changes),
        "deletedWith": _urn(resource.deleted_with) if resource.deleted_with else "",
        "dependencies": [_urn(address) for address in resource.dependencies],
    }


def masked(value: Any) -> Any:
    """Secret files as the engine prints them, as a whole."""
    if is_secret(value):
        return "[secret]"
    if isinstance(value, Mapping):
        hidden = any(is_secret(part) for part in value.values())
        return "[secret]" if hidden else {key: masked(part) for key, part in value.items()}
    return [masked(part) for part in value] if isinstance(value, list) else value


def urn(comparison: Comparison, address: Address) -> str:
    return _urn(str(address), comparison.stack)


def _urn(address: str, stack: str = "prod") -> str:
    return f"urn:pulumi:{stack}::vitalstream::{address}"


def write(folder: Path, found: Mapping[str, Any]) -> Path:
    path = folder / "preview.json"
    path.write_text(json.dumps(found))
    return path
