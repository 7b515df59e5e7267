"""What the demo and the tests need on this machine, and how they come by it.

As root on Debian they install and start what is missing; elsewhere they use what is there and
name what is not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import docker
import docker.errors

from ops.errors import OpsError

Report = Callable[[str], None]

ROOT = Path(__file__).resolve().parent.parent
PRIVATE = ROOT / ".vitalstream"
TOOLS = PRIVATE / "tools"
# Docker's own pools have room for about thirty networks, which a few stacks at once use up.
ADDRESS_POOL = ("--default-address-pool", "base=10.213.0.0/16,size=24")
ENGINE_START_SECONDS = 30
# Extracted, not installed: installed, Debian's packages would start their servers, on our ports.
TOOL_PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


class MachineError(OpsError):
    """Something that this machine lacks; the message says what and the way out."""


def docker_client(docker_host: str = "unix:///var/run/docker.sock") -> docker.DockerClient | None:
    """A client of a Docker Engine that answers, else None."""
    try:
        client = docker.DockerClient(base_url=docker_host)
        client.ping()
    except (docker.errors.DockerException, OSError):
        return None
    return client


def ensure_docker(report: Report) -> docker.DockerClient:
    """The local Docker Engine, installed and started where that is ours to do.

    Raises MachineError.
    """
    client = docker_client()
    if client:
        return client
    if os.geteuid() != 0:
        raise MachineError(
            "No Docker Engine answers at /var/run/docker.sock. Start it (`sudo systemctl start "
            "docker`), or add yourself to the group `docker` and log in again."
        )
    if not shutil.which("dockerd"):
        install(["docker.io"], report)
    report("starting the Docker Engine (dockerd)")
    _start_dockerd()
    deadline = time.monotonic() + ENGINE_START_SECONDS
    while time.monotonic() < deadline:
        client = docker_client()
        if client:
            return client
        time.sleep(0.3)
    raise MachineError(f"dockerd does not answer; its log is {PRIVATE / 'dockerd.log'}.")


def _start_dockerd() -> None:
    if shutil.which("systemctl") and Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False)
        return
    PRIVATE.mkdir(mode=0o700, exist_ok=True)
    # A session of its own: the engine outlives this command, as its containers must.
    with (PRIVATE / "dockerd.log").open("ab") as log:
        subprocess.Popen(
            ["dockerd", *ADDRESS_POOL],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def install(packages: Sequence[str], report: Report) -> None:
    """Debian packages, from the machine's own sources. Raises MachineError."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise MachineError(f"Needed and not here: {', '.join(packages)}. Install it and run again.")
    report(f"installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MachineError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()}")


def ensure_tools(report: Report) -> None:
    """promtool and amtool on PATH for this process and what it starts. Raises MachineError."""
    os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}{TOOLS / 'usr/bin'}"
    missing = [package for tool, package in TOOL_PACKAGES.items() if not shutil.which(tool)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise MachineError(
            f"Needed and not on PATH: {', '.join(TOOL_PACKAGES)}. They come with Prometheus and "
            "Alertmanager."
        )
    report(f"fetching {', '.join(TOOL_PACKAGES)}")
    TOOLS.mkdir(parents=True, exist_ok=True)
    PRIVATE.chmod(0o700)
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
    with tempfile.TemporaryDirectory() as scratch:
        _extract(missing, Path(scratch))


def _extract(packages: Sequence[str], scratch: Path) -> None:
    scratch.chmod(0o755)
    done = subprocess.run(
        ["apt-get", "download", *packages], cwd=scratch, capture_output=True, text=True, check=False
    )
    archives = sorted(scratch.glob("*.deb"))
    if done.returncode != 0 or not archives:
        raise MachineError(f"Cannot download {', '.join(packages)}:\n{done.stderr.strip()}")
    for archive in archives:
        subprocess.run(["dpkg-deb", "-x", str(archive), str(TOOLS)], check=True)
