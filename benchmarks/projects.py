"""Pulumi projects of the benchmarks: a copy of this program, and an empty one as the baseline.

Both run with the same CLI, the same Python environment and a `file://` backend in the project's
folder, so that a difference in time is a difference between the programs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OpsError
from ops.offline.program import PROJECT
from ops.root import ROOT

PROGRAM = ("__main__.py", "Pulumi.yaml", ".dockerignore")
FOLDERS = ("app", "components", "demo", "metrics", "rules", "templates")
EMPTY_STACK = "bench-empty"
UP_SECONDS = 300
CANCEL_SECONDS = 20
LAST_LINES = 25


class BenchmarkError(OpsError):
    """Raised when a figure cannot be measured; the message says why."""


@dataclass(frozen=True)
class Project:
    """A Pulumi project in `folder` with one stack."""

    cli: str
    folder: Path
    stack: str

    def up(self, *options: str, preview: bool = False) -> float:
        """Return the seconds that `pulumi up --yes` takes, start of the CLI included.

        Without `preview`, `--skip-preview` is set. Raises BenchmarkError.
        """
        skip = () if preview else ("--skip-preview",)
        started = time.monotonic()
        self.run("up", "--yes", *skip, *options)
        return time.monotonic() - started

    def run(self, *arguments: str) -> None:
        """Run the CLI. Raises BenchmarkError with the last lines of its output."""
        command = [self.cli, "--cwd", str(self.folder), "--non-interactive", *arguments]
        with subprocess.Popen(
            command,
            env={
                **os.environ,
                "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "for-benchmarks-only",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_STACK": self.stack,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Outside the terminal's process group: Ctrl+C is handled below.
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=UP_SECONDS)
            except BaseException as error:
                _cancel(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise BenchmarkError(
                        f"`pulumi {arguments[0]}` took more than {UP_SECONDS} s"
                    ) from None
                raise
        if process.returncode != 0:
            last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
            raise BenchmarkError(f"`pulumi {arguments[0]}` of {self.stack} failed:\n{last}")

    def state_bytes(self) -> int:
        """Return the size of the stack's state, without its history and backups."""
        [file] = (self.folder / "state" / ".pulumi" / "stacks").rglob(f"{self.stack}.json")
        return file.stat().st_size

    def save_state(self) -> None:
        """Save the state for `reset_state`."""
        shutil.copytree(self.folder / "state", self.folder / "state.new")

    def reset_state(self) -> None:
        """Restore the saved state, of a stack that was never up."""
        shutil.rmtree(self.folder / "state")
        shutil.copytree(self.folder / "state.new", self.folder / "state")


def copy_of_program(
    cli: str,
    folder: Path,
    stack: str,
    values: Mapping[str, Any],
    secrets: Mapping[str, str],
    root: Path = ROOT,
) -> Project:
    """Copy the program in `root` into a new project with a stack that is not up yet.

    `values` are the config values by key, `secrets` those that are encrypted.
    """
    folder.mkdir()
    for file in PROGRAM:
        shutil.copy(root / file, folder / file)
    for part in FOLDERS:
        # An older commit has fewer folders.
        if (root / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / part, folder / part, ignore=ignored)
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    project["runtime"]["options"]["virtualenv"] = sys.prefix
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    config = {f"{PROJECT}:{key}": value for key, value in values.items()}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))
    made = _with_stack(Project(cli, folder, stack))
    options = [part for key, value in secrets.items() for part in ("--secret", f"{key}={value}")]
    made.run("config", "set-all", *options)
    made.save_state()
    return made


def empty_program(cli: str, folder: Path) -> Project:
    """Bring up a Python program without resources: the least that any `pulumi up` takes."""
    folder.mkdir()
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "empty", "runtime": runtime}))
    (folder / "__main__.py").write_text("import pulumi\n")
    made = _with_stack(Project(cli, folder, EMPTY_STACK))
    made.up()
    return made


def _with_stack(project: Project) -> Project:
    (project.folder / "state").mkdir()
    project.run("stack", "init", project.stack)
    return project


def _cancel(process: subprocess.Popen[str]) -> None:
    """Interrupt the CLI as Ctrl+C does, so that it ends its plugins; kill it after 20 s."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=CANCEL_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
