"""On what a run's figures were taken."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import docker

GIBIBYTE = 2**30


def circumstances(
    client: docker.DockerClient | None, cli: str | None, images: Mapping[str, str]
) -> dict[str, str]:
    """The machine's shape and what runs on it; no name of it."""
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": _machine(),
        "python": platform.python_version(),
        "engine": _engine(cli),
    }
    if client:
        about = client.info()
        found["docker"] = (
            f"Docker Engine {about['ServerVersion']}, {about['Driver']}, "
            f"cgroup v{about.get('CgroupVersion', '1')}"
        )
        made = "made from Debian's packages: " if images else ""
        names = sorted({image.rpartition("/")[2] for image in images.values()})
        found["images"] = f"{made}{', '.join(names)}" if images else "the pinned ones"
    return found


def load() -> float:
    """Processes that ran or wanted to, on average over the last minute."""
    return os.getloadavg()[0]


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}"


def _engine(cli: str | None) -> str:
    if cli is None:
        return "none: a rehearsal under Pulumi's mocks"
    said = subprocess.run([cli, "version"], capture_output=True, text=True, check=False).stdout
    packages = ("pulumi-docker", "pulumiverse-grafana")
    named = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"Pulumi {said.strip()}, {named}"
