"""Pulumi project of the demo, private to this machine.

`.vitalstream/` has a `Pulumi.yaml` whose program is the repository's, the stack's configuration
with its secrets encrypted, their passphrase and the state. The committed stack files are read and
never written, so the work tree stays clean.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.dev_machine import PRIVATE
from ops.errors import OpsError
from ops.offline.program import PROJECT
from ops.root import ROOT

SECRET_KEYS = ("grafanaAdminPassword", "postgresPassword", "redisPassword")


class WorkspaceError(OpsError):
    """Raised when a Pulumi command fails; its output is above, or in the message."""


@dataclass(frozen=True)
class Workspace:
    """`cli` is the Pulumi command; `folder` is private to its owner."""

    stack: str
    cli: str | None
    folder: Path = PRIVATE

    def passwords(self) -> dict[str, str]:
        """Return the stack's secrets by config key, generated on first use."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"secrets.{self.stack}.json"
        if not path.exists():
            _write_private(
                path, json.dumps({key: secrets.token_urlsafe(18) for key in SECRET_KEYS})
            )
        found: dict[str, str] = json.loads(path.read_text())
        return found

    def prepare(self, overrides: Mapping[str, Any]) -> None:
        """Write project and configuration, and create the stack if needed."""
        passwords = self.passwords()
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            _write_private(passphrase, secrets.token_urlsafe(32))
        (self.folder / "state").mkdir(exist_ok=True)
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project["main"] = os.path.relpath(ROOT, self.folder)
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
        self._write_config(overrides)
        self.run("stack", "select", "--create", self.stack, quiet=True)
        for key, value in passwords.items():
            if f"{PROJECT}:{key}" not in self._config()["config"]:
                self.run("config", "set", "--secret", key, quiet=True, stdin=value)

    def run(self, *arguments: str, quiet: bool = False, stdin: str | None = None) -> None:
        """Run the CLI on this project; print its output unless quiet."""
        assert self.cli is not None
        done = subprocess.run(
            [self.cli, "--cwd", str(self.folder), *arguments],
            env=self.environment(),
            input=stdin,
            capture_output=quiet,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = f"\n{done.stderr.strip()}" if quiet else ""
            raise WorkspaceError(f"`pulumi {' '.join(arguments)}` failed.{words}")

    def environment(self) -> dict[str, str]:
        """Return the CLI's environment with this project's state and passphrase."""
        # An empty PULUMI_CONFIG_PASSPHRASE would win over the file.
        inherited = {
            key: value for key, value in os.environ.items() if key != "PULUMI_CONFIG_PASSPHRASE"
        }
        return {
            **inherited,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "PULUMI_STACK": self.stack,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    @property
    def exists(self) -> bool:
        return (self.folder / f"Pulumi.{self.stack}.yaml").exists()

    def _config_path(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def _config(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self._config_path().read_text())
        return found

    def _write_config(self, overrides: Mapping[str, Any]) -> None:
        """Return the committed configuration with overrides and the existing secrets."""
        before = self._config() if self.exists else {"config": {}}
        committed = yaml.safe_load((ROOT / f"Pulumi.{self.stack}.yaml").read_text()) or {}
        config = {
            **(committed.get("config") or {}),
            **{f"{PROJECT}:{key}": value for key, value in overrides.items()},
            **{
                key: value
                for key, value in before["config"].items()
                if key.removeprefix(f"{PROJECT}:") in SECRET_KEYS
            },
        }
        salt = {key: before[key] for key in ("encryptionsalt",) if key in before}
        _write_private(self._config_path(), yaml.safe_dump({**salt, "config": config}))


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
