"""The demo's Python packages, installed for the interpreter of the python image."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ops.offline.images.errors import LocalImagesError

REQUIREMENTS = Path(__file__).parents[3] / "demo" / "requirements.txt"
SITE_PACKAGES = "/usr/local/lib/python{version}/dist-packages"
# What the C library of Debian 13 (2.41) and newer can load.
NEWEST_MANYLINUX, OLDEST_MANYLINUX = 41, 17
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def require_requirements() -> None:
    """Raise LocalImagesError unless the list of packages is there."""
    if not REQUIREMENTS.is_file():
        raise LocalImagesError(
            f"{REQUIREMENTS} is missing: the python image installs the packages that it lists"
        )


def install(target: Path, python_version: str, architecture: str) -> None:
    """Install ``demo/requirements.txt`` into ``target``, wheels only, every hash checked.

    pip runs with this interpreter and with the machine's own index settings; the wheels are chosen
    for ``python_version`` (``3.11``) on ``architecture`` (Debian's name for it). Commands are left
    out, since pip writes this interpreter's path into them: ``python -m`` runs the modules.
    """
    machine = MACHINES.get(architecture)
    if machine is None:
        raise LocalImagesError(f"the python image can be made on {', '.join(MACHINES)} only")
    platforms = [
        f"--platform=manylinux_2_{minor}_{machine}"
        for minor in range(NEWEST_MANYLINUX, OLDEST_MANYLINUX - 1, -1)
    ]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--only-binary=:all:", "--implementation=cp", *platforms),
        *(f"--python-version={python_version}", f"--target={target}"),
        f"--requirement={REQUIREMENTS}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        reason = next((line for line in lines if line.startswith("ERROR:")), lines[-1])
        raise LocalImagesError(f"pip cannot install {REQUIREMENTS.name}: {reason}")
    shutil.rmtree(target / "bin", ignore_errors=True)
