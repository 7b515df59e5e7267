"""Keeps what the engine and the recorder said, for the tests that have no engine.

    RECORD=1 python -m pytest tests/engine/test_diff.py

It is a part of what was said: of the resources those below, of the rule files two, and nothing of
the machine. What is left stands as it was.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.review.diff.comparison import Comparison
from ops.review.diff.snapshot import Resource, Snapshot

FOLDER = Path(__file__).resolve().parents[1] / "recordings"
SERVICES = ("prometheus", "alertmanager", "grafana", "postgres-exporter")
KEPT = frozenset(
    [
        "docker",
        "preflight",
        "redis",
        *(
            f"{service}{part}"
            for service in SERVICES
            for part in ("", "-config", "-image", "-data")
        ),
    ]
)
RULES = ("rules/backend.yml", "rules/redis.yml")
OF_THE_MACHINE = (
    "stackTrace", "sourcePosition", "created", "modified", "id", "outputs", "propertyDependencies",
    "provider", "duration",
)  # fmt: skip


def wanted() -> bool:
    return os.environ.get("RECORD") == "1"


def write(preview: Path, commits: Comparison) -> None:
    FOLDER.mkdir(exist_ok=True)
    document = json.loads(preview.read_text())
    steps = [_part(step) for step in document["steps"] if _name(step["urn"]) in KEPT]
    summary = Counter(step["op"] for step in steps)
    _write("preview.json", {**_part(document), "steps": steps, "changeSummary": dict(summary)})
    for name, side in (("before", commits.before), ("after", commits.after)):
        _write(f"{name}.json", _snapshot(side))


def _write(name: str, found: Any) -> None:
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
    (FOLDER / name).write_text(text + "\n")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _part(value: Any) -> Any:
    """Return a value without machine-specific parts and with only two rule files."""
    if isinstance(value, list):
        return [_part(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _part(item)
        for key, item in value.items()
        if key not in OF_THE_MACHINE and (not key.startswith("rules/") or key in RULES)
    }


def _snapshot(side: Snapshot) -> dict[str, Any]:
    settings = side.settings or {}
    return {
        "resources": [
            _resource(found) for _, found in sorted(side.resources.items()) if found.name in KEPT
        ],
        "settings": {
            key: {"value": one.value, "in_stack_file": one.in_stack_file}
            for key, one in settings.items()
        },
    }


def _resource(found: Resource) -> dict[str, Any]:
    return {
        "address": str(found.address),
        "inputs": _part(dict(found.inputs)),
        "custom": found.custom,
        "protect": found.protect,
        "replace_on_changes": list(found.replace_on_changes),
        "ignore_changes": list(found.ignore_changes),
        "deleted_with": found.deleted_with,
        "dependencies": sorted(found.dependencies),
    }
