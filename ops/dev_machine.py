"""Tools that the demo and the tests need on this machine.

As root on Debian, missing ones are installed and started; elsewhere they are reported.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors

from components.catalog.images import IMAGES
from ops.errors import OpsError
from ops.offline.images.debian import SUITES, Apt, suite
from ops.offline.images.errors import LocalImagesError
from ops.root import ROOT

Report = Callable[[str], None]

PRIVATE = ROOT / ".vitalstream"
ENGINE_START_SECONDS = 30


@dataclass(frozen=True)
class Tool:
    """Command, with the Debian package and the image that contain it."""

    package: str
    image: str


TOOLS = {
    "promtool": Tool("promtool", "prometheus"),
    "amtool": Tool("prometheus-alertmanager", "alertmanager"),
    # tests/rules evaluate the rules in it.
    "prometheus": Tool("prometheus", "prometheus"),
}


class MachineError(OpsError):
    """Something that this machine lacks; the message says what and the way out."""


def docker_client(docker_host: str = "unix:///var/run/docker.sock") -> docker.DockerClient | None:
    """Return a client of a Docker Engine that answers, else None."""
    try:
        client = docker.DockerClient(base_url=docker_host)
        client.ping()
    except (docker.errors.DockerException, OSError):
        return None
    return client


def ensure_docker(report: Report) -> docker.DockerClient:
    """Return the local Docker Engine; as root on Debian, install and start it first.

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


def ensure_github_cli(report: Report) -> None:
    """Install `gh` where it can be had; without it the tests of `ops comment` are skipped."""
    if not shutil.which("gh"):
        try:
            install(["gh"], report)
        except MachineError as error:
            report(f"left out: {error}")


def _start_dockerd() -> None:
    if shutil.which("systemctl") and Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False)
        return
    PRIVATE.mkdir(mode=0o700, exist_ok=True)
    # A session of its own: the engine outlives this command, as its containers must.
    with (PRIVATE / "dockerd.log").open("ab") as log:
        subprocess.Popen(
            ["dockerd"],
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


def tools_folder() -> Path:
    """Return the folder of promtool and amtool of the chosen suite."""
    name = "tools" if suite() == SUITES["newest"] else f"tools-{suite()}"
    return PRIVATE / name / "usr/bin"


def ensure_tools(report: Report) -> None:
    """Put promtool and amtool first on PATH, for this process and what it starts.

    They come from the Debian suite that the local images are made of, else from the pinned images,
    else they are what PATH has. Raises MachineError.
    """
    folder = tools_folder()
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    mark = folder.parents[1] / "complete"
    if mark.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    PRIVATE.chmod(0o700)
    problems = []
    for fetch in (_tools_of_debian, _tools_of_images):
        try:
            fetch(folder.parents[1], report)
            for tool in TOOLS:
                subprocess.run([folder / tool, "--version"], check=True, capture_output=True)
        except (LocalImagesError, MachineError, subprocess.CalledProcessError, OSError) as error:
            problems.append(f"  {error}")
            for tool in TOOLS:
                (folder / tool).unlink(missing_ok=True)
        else:
            mark.touch()
            return
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        reasons = "\n".join(problems)
        raise MachineError(
            f"{' and '.join(missing)}: not on PATH, and cannot be fetched:\n{reasons}\n"
            "fix: install Prometheus and Alertmanager, which bring them"
        )


def _tools_of_debian(target: Path, report: Report) -> None:
    """Extract them: installed, Debian's packages would start their servers, on our ports."""
    with tempfile.TemporaryDirectory(prefix="vitalstream-tools-") as scratch:
        apt = Apt(Path(scratch) / "apt", suite())
        report(f"fetching {', '.join(TOOLS)} of Debian {suite()}")
        apt.refresh()
        for archive in apt.download_alone([tool.package for tool in TOOLS.values()]):
            subprocess.run(["dpkg-deb", "-x", archive, target], check=True, capture_output=True)


def _tools_of_images(target: Path, report: Report) -> None:
    client = docker_client()
    if client is None:
        raise MachineError("no Docker Engine answers at /var/run/docker.sock")
    for name, tool in TOOLS.items():
        image = IMAGES[tool.image].reference
        report(f"fetching {name} from the image {image}")
        try:
            client.images.pull(image)
            container = client.containers.create(image)
        except docker.errors.DockerException as error:
            raise MachineError(f"no image {image}: {error}") from None
        try:
            stream, _ = container.get_archive(f"/bin/{name}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                content = archive.extractfile(name)
                (target / "usr/bin" / name).write_bytes(content.read() if content else b"")
            (target / "usr/bin" / name).chmod(0o755)
        finally:
            container.remove()
