"""Pulumi projects of the benchmarks' own: a copy of this program, and an empty one to compare with.

Both run on the same CLI, the same Python environment and a `file://` backend in the project's
folder, so that a difference in time is a difference of the programs.
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
from typing import Any, Protocol

import yaml

from ops.offline.program import PROJECT, ROOT

PROGRAM = ("__main__.py", "Pulumi.yaml", ".dockerignore")
FOLDERS = ("app", "components", "demo", "rules", "templates")
EMPTY_STACK = "bench-empty"
UP_SECONDS = 300
CANCEL_SECONDS = 20
LAST_LINES = 25


class BenchmarkError(Exception):
    """A figure cannot be taken; the message says why."""


@dataclass(frozen=True)
class Project:
    """A Pulumi project in `folder` with one stack."""

    cli: str
    folder: Path
    stack: str

    def up(self, *options: str, preview: bool = False) -> float:
        """Seconds that `pulumi up --yes` takes, start of the CLI included. Raises BenchmarkError.

        `preview` has it run the program once more before, as it does unless told otherwise.
        """
        skip = () if preview else ("--skip-preview",)
        started = time.monotonic()
        self.run("up", "--yes", *skip, *options)
        return time.monotonic() - started

    def run(self, *arguments: str) -> None:
        """Raises BenchmarkError with the last of what the CLI said."""
        command = [self.cli, "--cwd", str(self.folder), "--non-interactive", *arguments]
        with subprocess.Popen(
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Not of the terminal's group: what Ctrl+C means is decided below.
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=UP_SECONDS)
            except BaseException as error:
                _end(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise BenchmarkError(
                        f"`pulumi {arguments[0]}` took more than {UP_SECONDS} s"
                    ) from None
                raise
        if process.returncode != 0:
            last = "\n".join(said.strip().splitlines()[-LAST_LINES:])
            raise BenchmarkError(f"`pulumi {arguments[0]}` of {self.stack} failed:\n{last}")

    def keep_as_new(self) -> None:
        """Remembers the state as it is, for `make_new`."""
        shutil.copytree(self.folder / "state", self.folder / "state.new")

    def make_new(self) -> None:
        """As if the stack had never been up."""
        shutil.rmtree(self.folder / "state")
        shutil.copytree(self.folder / "state.new", self.folder / "state")

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "for-benchmarks-only",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_STACK": self.stack,
        }


class Configured(Protocol):
    """Config by key; `secrets` are encrypted."""

    @property
    def values(self) -> Mapping[str, Any]: ...

    @property
    def secrets(self) -> Mapping[str, str]: ...


def copy_of_program(cli: str, folder: Path, stack: str, configured: Configured) -> Project:
    """This program with a stack of the given configuration, not yet up."""
    folder.mkdir()
    for file in PROGRAM:
        shutil.copy(ROOT / file, folder / file)
    for part in FOLDERS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    project["runtime"]["options"]["virtualenv"] = sys.prefix
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    config = {f"{PROJECT}:{key}": value for key, value in configured.values.items()}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))
    made = _with_stack(Project(cli, folder, stack))
    made.run(
        "config",
        "set-all",
        *(
            part
            for key, value in configured.secrets.items()
            for part in ("--secret", f"{key}={value}")
        ),
    )
    made.keep_as_new()
    return made


def empty_program(cli: str, folder: Path) -> Project:
    """A Python program that makes nothing, up: the least that any `pulumi up` takes."""
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


def _end(process: subprocess.Popen[str]) -> None:
    """As Ctrl+C does, so that the CLI ends its plugins."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=CANCEL_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
