"""Render all files and resources of a stack, without engine and Docker."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic_core import from_json, to_json

from ops.offline import program

CONFIG_FILES = "pulumi-python:dynamic/vitalstream:ConfigFiles"
DASHBOARD = "grafana:oss/dashboard:Dashboard"


def render(stack: str, config: program.StackConfig | None = None) -> dict[str, str]:
    """File texts by path: `prometheus.yml`, `rules/*.yml`, `alertmanager.yml`, its templates,
    `dashboards/*.json` and `resources.json` (a list of `{type, name, inputs}`, secrets masked).

    Raises ProgramError.
    """
    config = config or program.StackConfig.of_stack(stack)
    registrations = program.run(stack, config)
    files: dict[str, str] = {}
    for found in registrations:
        if found.type == CONFIG_FILES and found.name in (
            "prometheus-config",
            "alertmanager-config",
        ):
            inputs = program.unwrap(found.inputs)
            files |= inputs["files"]
            # Secret as a whole for the one URL in it: the routes are still to be read.
            if routes := inputs["secret_files"].get("alertmanager.yml"):
                files["alertmanager.yml"] = config.without_secrets(routes)
        elif found.type == DASHBOARD:
            board = from_json(found.inputs["configJson"])
            files[f"dashboards/{found.name}.json"] = to_json(board, indent=2).decode() + "\n"
    resources = [
        {"type": found.type, "name": found.name, "inputs": program.mask(found.inputs)}
        for found in sorted(registrations, key=lambda found: (found.type, found.name))
    ]
    files["resources.json"] = json.dumps(resources, indent=2, sort_keys=True) + "\n"
    return files


def write(files: Mapping[str, str], out: Path) -> None:
    """Write the files to `out` atomically, replacing an earlier rendering."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and any(out.iterdir()) and not (out / "resources.json").is_file():
        raise program.ProgramError(
            f"{out} has other files in it: give a new folder, or one of an earlier rendering."
        )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".render-") as scratch:
        fresh = Path(scratch) / "fresh"
        for path, text in files.items():
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if out.exists():
            shutil.move(out, Path(scratch) / "old")
        shutil.move(fresh, out)
