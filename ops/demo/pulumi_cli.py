"""Pulumi CLI: the one on PATH, else one that Pulumi's SDK installs in .vitalstream; its calls."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ops.dev_machine import PRIVATE, Report
from ops.root import ROOT

INSTALL_ROOT = PRIVATE / "pulumi"
REACH_SECONDS = 5


def find() -> str | None:
    """Return the CLI's path, or None."""
    installed = INSTALL_ROOT / "bin" / "pulumi"
    return shutil.which("pulumi") or (str(installed) if installed.is_file() else None)


def ensure(report: Report) -> str | None:
    """Return the CLI's path, installing the SDK's own version if possible; else None."""
    if found := find():
        return found
    # It takes half a second to import, and few need it.
    from pulumi.automation import PulumiCommand  # noqa: PLC0415

    report("no Pulumi CLI is on PATH: asking get.pulumi.com for one")
    PRIVATE.mkdir(mode=0o700, exist_ok=True)
    before = socket.getdefaulttimeout()
    # The SDK asks without a time limit of its own, and some networks drop packets silently.
    socket.setdefaulttimeout(REACH_SECONDS)
    try:
        PulumiCommand.install(str(INSTALL_ROOT))
    except (OSError, subprocess.CalledProcessError) as error:
        report(f"it cannot be installed: {error}")
    finally:
        socket.setdefaulttimeout(before)
    return find()


def run(
    cli: str,
    *arguments: str,
    stdin: str = "",
    root: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the CLI without questions and return its output, whatever its exit code."""
    return subprocess.run(
        [cli, *arguments, "--non-interactive"],
        cwd=root,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", **(environment or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().removeprefix("error: ")
