"""Lock for one backup or restore per stack, and access to its volumes.

A helper container with a fixed name mounts the volumes. Names are unique on a Docker Engine, so the
container is also the lock, from whichever machine the commands run.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import docker
import docker.errors
from docker.models.containers import Container
from docker.types import Mount

from components.docker.container import container_name
from components.docker.volume_files import HELPER_LABEL
from ops.backup import shell
from ops.backup.errors import BackupError
from ops.backup.progress import human

OWNER_LABEL = "vitalstream.backup.owner"
ROOT = "/volumes"
SPARE_BYTES = 64 * 2**20
# The container ends by itself if the command is killed.
SECONDS_TO_LIVE = 2 * 24 * 3600
SCRIPTS = Path(__file__).parent / "scripts"


class VolumeHelper:
    """Access to `/volumes/SERVICE`, as root without most capabilities."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def run(self, script: str, *arguments: str) -> str:
        """Run a shell script and return its output. Raises BackupError with its error output."""
        status, words = shell.run(self._container, script, *arguments)
        if status != 0:
            raise BackupError(f"A step in the stack's volumes failed: {words or status}.")
        return words

    def script(self, name: str, *arguments: str) -> str:
        return self.run((SCRIPTS / name).read_text(), *arguments)

    def read(self, path: str) -> Iterator[bytes]:
        """Return Docker's tar archive of a folder, in chunks."""
        stream, _ = self._container.get_archive(path)
        yield from stream

    def write(self, path: str, archive: Iterable[bytes]) -> None:
        """Extract a tar archive into a folder."""
        if not self._container.put_archive(path, iter(archive)):
            raise BackupError(f"Docker refused the files for {path}.")

    def free_bytes(self, path: str) -> int:
        blocks, size = self.run('stat -f -c "%a %S" "$1"', path).split()
        return int(blocks) * int(size)

    def require_room(self, service: str, size: int, purpose: str, fix: str) -> None:
        """Raise BackupError unless a service's volume has room for this much and some spare."""
        wanted, free = size + SPARE_BYTES, self.free_bytes(f"{ROOT}/{service}")
        if wanted > free:
            raise BackupError(
                f"{purpose} may need {human(wanted)}, and the Docker host has {human(free)} left "
                f"where {service}'s volume is. {fix}"
            )


@contextlib.contextmanager
def backup_lock(
    client: docker.DockerClient, stack: str, image: str, volumes: Mapping[str, str]
) -> Iterator[VolumeHelper]:
    """Hold the lock; `volumes` by name below `/volumes`. Raises BackupError if it is taken."""
    name = container_name(stack, "backup")
    container = _claim(client, stack, name, image, volumes)
    try:
        container.start()
        yield VolumeHelper(container)
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)


def _claim(
    client: docker.DockerClient, stack: str, name: str, image: str, volumes: Mapping[str, str]
) -> Container:
    while True:
        try:
            return client.containers.create(
                image,
                name=name,
                entrypoint=["sleep"],
                command=[str(SECONDS_TO_LIVE)],
                user="0:0",
                cap_drop=["ALL"],
                cap_add=["CHOWN", "DAC_OVERRIDE", "FOWNER"],
                security_opt=["no-new-privileges:true"],
                network_mode="none",
                auto_remove=True,
                labels={OWNER_LABEL: _me(), HELPER_LABEL: next(iter(volumes.values()))},
                mounts=[
                    Mount(f"{ROOT}/{key}", volume, type="volume", no_copy=True)
                    for key, volume in volumes.items()
                ],
            )
        except docker.errors.APIError as error:
            if error.status_code != 409:
                raise
        _clear(client, stack, name)


def _clear(client: docker.DockerClient, stack: str, name: str) -> None:
    """Remove the lock of a killed command. Raises BackupError if the command may be running."""
    with contextlib.suppress(docker.errors.NotFound):
        there = client.containers.get(name)
        owner = str(there.labels.get(OWNER_LABEL, ""))
        host, _, process = owner.partition(" ")
        if host != socket.gethostname() or _is_alive(process):
            who = f"process {process.split()[0]} on {host}" if process else "an unknown process"
            raise BackupError(
                f"A backup or restore of {stack} is under way, by {who}. fix: wait for it, or, if "
                f"it is dead, `docker rm -f {name}` and start again"
            )
        there.remove(force=True, v=True)


def _me() -> str:
    """Return host, process id and start time: process ids are reused."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def _is_alive(process: str) -> bool:
    number, _, started = process.partition(" ")
    return number.isdigit() and _started(int(number)) == started


def _started(process: int) -> str:
    """Return a process' start time in clock ticks, empty if it is not running."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
