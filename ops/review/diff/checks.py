"""Checks of the new version by promtool, amtool and the policies."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.review.diff.comparison import DiffError
from ops.review.diff.report import Check, Status
from ops.review.diff.snapshot import CONFIG_FILES, Resource, Snapshot

TOOL_SECONDS = 60
_TOOLS = {
    "promtool": ("prometheus.yml", ("check", "config")),
    "amtool": ("alertmanager.yml", ("check-config",)),
}
POLICY_LEVELS = ("mandatory", "advisory")


def run(after: Snapshot) -> tuple[Check, ...]:
    """Run the checks; a tool or file that is missing is reported as not run."""
    return tuple(_run(tool, after) for tool in _TOOLS)


def _run(tool: str, after: Snapshot) -> Check:
    name, arguments = _TOOLS[tool]
    resource = _with_file(after, name)
    if resource is None:
        return Check(tool, Status.NOT_RUN, f"no {name} that can be read")
    found = shutil.which(tool)
    if found is None:
        return Check(tool, Status.NOT_RUN, f"no {tool} on PATH")
    with tempfile.TemporaryDirectory(prefix="vitalstream-") as folder:
        _write(resource, Path(folder))
        try:
            done = subprocess.run(
                [found, *arguments, str(Path(folder) / name)],
                capture_output=True,
                text=True,
                timeout=TOOL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Check(tool, Status.FAILED, str(error))
        if done.returncode == 0:
            return Check(tool, Status.PASSED)
        words = (done.stdout + done.stderr).replace(f"{folder}/", "").strip()
        return Check(tool, Status.FAILED, _faults(words) or f"status {done.returncode}")


def _faults(words: str) -> str:
    """Remove promtool's output on files without faults."""
    bad = [part for part in words.split("\n\n") if "SUCCESS" not in part or "FAILED" in part]
    return "\n\n".join(bad) or words


def _with_file(snapshot: Snapshot, name: str) -> Resource | None:
    for resource in snapshot.of_type(CONFIG_FILES):
        if isinstance(_files(resource).get(name), str):
            return resource
    return None


def _files(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in ("files", "secret_files"):
        content = resource.inputs.get(part)
        found |= content if isinstance(content, Mapping) else {}
    return found


def _write(resource: Resource, folder: Path) -> None:
    """Write the files as the service gets them, with placeholders for secrets."""
    target = str(resource.inputs.get("target", "")).rstrip("/")
    for path, text in _files(resource).items():
        file = (folder / path).resolve()
        if not file.is_relative_to(folder.resolve()):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        readable = text if isinstance(text, str) else "placeholder"
        file.write_text(readable.replace(f"{target}/", f"{folder}/") if target else readable)


def policies(file: Path, stack: str) -> tuple[Check, ...]:
    """Read a policy runner's findings on a stack: a list of `{policy, level, resource, message}`.

    `level` is `mandatory`, which fails the check, or `advisory`. An entry with a `stack` is of
    that stack alone. Raises DiffError.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
        own = [one for one in found if one.get("stack", stack) == stack]
        checks = tuple(_policies(own))
    except OSError as error:
        raise DiffError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DiffError(
            f"{file} is not a list of policy violations "
            f"({{policy, level, resource, message}}): {error}"
        ) from None
    return checks or (Check("policies", Status.PASSED),)


def _policies(found: list[Mapping[str, Any]]) -> Iterator[Check]:
    for one in sorted(found, key=lambda one: POLICY_LEVELS.index(one["level"])):
        status = Status.FAILED if one["level"] == POLICY_LEVELS[0] else Status.ADVICE
        yield Check(f"policy {one['policy']}", status, f"{one['resource']}: {one['message']}")
