"""Pulumi CLI: the one on PATH, else one from the official installer in .vitalstream."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess

from ops.dev_machine import PRIVATE, ROOT, Report

INSTALLER = "https://get.pulumi.com"
INSTALL_ROOT = PRIVATE / "pulumi"
REACH_SECONDS = 5
INSTALL_SECONDS = 300


def find() -> str | None:
    """Return the CLI's path, or None."""
    installed = INSTALL_ROOT / "bin" / "pulumi"
    return shutil.which("pulumi") or (str(installed) if installed.is_file() else None)


def ensure(report: Report) -> str | None:
    """Return the CLI's path, installing it if possible; else None."""
    found = find()
    if found or not shutil.which("curl"):
        return found
    script = _installer()
    if script is None:
        return None
    version = pinned_version()
    report(f"installing the Pulumi CLI {version} into {INSTALL_ROOT.relative_to(ROOT)}")
    PRIVATE.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(
        [
            *("sh", "-s", "--", "--version", version),
            *("--install-root", str(INSTALL_ROOT), "--no-edit-path"),
        ],
        input=script,
        capture_output=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    return find()


def pinned_version() -> str:
    """Return the SDK's version, which the lock file pins."""
    return importlib.metadata.version("pulumi")


def _installer() -> bytes | None:
    command = ["curl", "-fsSL", "--connect-timeout", str(REACH_SECONDS), INSTALLER]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
