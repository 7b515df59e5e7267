"""Environment of a test run: engines, images and tools, by version."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator

import docker
import docker.errors

from components.catalog.images import IMAGES
from ops import dev_machine
from ops.demo import pulumi_cli
from ops.offline.images.debian import suite
from ops.offline.local_deploy import local

NOT_HERE = "none here"


def lines() -> list[str]:
    """Return one line each for Docker, the images, and the tools of this machine."""
    client = dev_machine.docker_client()
    return [f"{name}: {value}" for name, value in _found(client)]


def _found(client: docker.DockerClient | None) -> Iterator[tuple[str, str]]:
    yield "Docker", _docker(client) if client else NOT_HERE
    if client:
        images = _images(client)
        grafana = images.pop("grafana", NOT_HERE)
        yield "images", ", ".join(f"{name} {found}" for name, found in sorted(images.items()))
        if missing := sorted(IMAGES.keys() - images.keys() - {*local.NOT_MADE}):
            yield f"made of Debian {suite()} when a test needs them", ", ".join(missing)
        yield "Grafana", grafana
    # What tests/live/own_engine.py starts is this one, whatever engine answers above.
    yield "engines of a test's own", _version(_first_line(["dockerd", "--version"])).rstrip(",")
    yield "Pulumi engine", _first_line([pulumi_cli.find() or "pulumi", "version"])
    tools = (f"{tool} {_version(_first_line([tool, '--version']))}" for tool in dev_machine.TOOLS)
    yield "tools", f"{', '.join(tools)}, Python {platform.python_version()}"


def _docker(client: docker.DockerClient) -> str:
    version, info = client.version(), client.info()
    # Named from API 1.49 on.
    firewall = (info.get("FirewallBackend") or {}).get("Driver", "iptables")
    return (
        f"{version['Version']} (API {version['ApiVersion']}), storage {info['Driver']}, "
        f"firewall {firewall}, cgroup v{info.get('CgroupVersion', '1')}, "
        f"kernel {info['KernelVersion']}"
    )


def _images(client: docker.DockerClient) -> dict[str, str]:
    """Return the version of each service's image, of Debian packages only if it was built."""
    chosen = os.environ.get("LIVE_IMAGES", "{}")
    if chosen == "pinned":
        return {name: image.tag for name, image in IMAGES.items()}
    images = local.present_images(client) | json.loads(chosen)
    return {name: tag.rpartition(":")[2] for name, tag in images.items()}


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return NOT_HERE
    return ((done.stdout + done.stderr).splitlines() or [NOT_HERE])[0]


def _version(line: str) -> str:
    """Parse `promtool, version 3.5.3+ds1 (branch: ...)`."""
    return line.partition("version ")[2].partition(" ")[0] or line
