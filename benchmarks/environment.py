"""Describe the machine and the versions that a run's figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import docker

GIBIBYTE = 2**30
# Above this load average, other processes distort the figures.
QUIET_LOAD = 0.5


def describe(
    client: docker.DockerClient | None, cli: str | None, images: Mapping[str, str], load: float
) -> dict[str, str]:
    """Return date, machine, versions and images, without the machine's name.

    `load` is the load average of one minute before the run.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}",
        "python": platform.python_version(),
        "engine": _engine(cli),
    }
    if client:
        about = client.info()
        found["docker"] = (
            f"Docker Engine {about['ServerVersion']}, {about['Driver']}, "
            f"cgroup v{about.get('CgroupVersion', '1')}"
        )
        names = sorted({image.rpartition("/")[2] for image in images.values()})
        found["images"] = f"local: {', '.join(names)}" if images else "the pinned ones"
    found["load before"] = f"{load:.1f}{': busy machine' if load > QUIET_LOAD else ''}"
    return found


def _engine(cli: str | None) -> str:
    if cli is None:
        return "none: deployed without the Pulumi engine"
    found = subprocess.run([cli, "version"], capture_output=True, text=True, check=False).stdout
    packages = ("pulumi-docker", "pulumiverse-grafana")
    named = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"Pulumi {found.strip()}, {named}"
