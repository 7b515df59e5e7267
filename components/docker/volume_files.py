"""Write files into a Docker volume, read them back, and run a service's checker on them.

Everything goes through the Docker API of the given host, by containers of the service's own image
that are created and mostly never started, so it works on a remote host too.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import docker
import docker.errors
from docker.models.containers import Container
from docker.types import Mount

# Its value is the volume, so that containers left by a killed process can be found.
HELPER_LABEL = "vitalstream.helper"
CHECK_SECONDS = 60
SECRET_MODE = 0o400
PUBLIC_MODE = 0o444


@dataclass(frozen=True)
class File:
    """File's text and mode, by its path below the volume's mount point."""

    text: str
    mode: int


@dataclass(frozen=True)
class Volume:
    """Volume as a service mounts it: at `target`, owned by `uid`, with the tools of `image`."""

    client: docker.DockerClient
    name: str
    target: str
    image: str
    uid: int

    def put(self, files: Mapping[str, File]) -> None:
        """Write the files and remove all others."""
        with self._container() as container:
            gone = sorted(set(self._read(container)) - set(files))
            container.put_archive(self.target, _archive(files, self.uid))
        if gone:
            self._remove(gone)

    def read(self) -> dict[str, str]:
        """Return the text of every file. Raises docker.errors.NotFound for a missing volume."""
        self.client.volumes.get(self.name)
        with self._container() as container:
            return self._read(container)

    def own(self, name: str, target: str) -> None:
        """Chown the root of another volume, which Docker creates for root, to the service."""
        entry = tarfile.TarInfo(target.strip("/"))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        entry.uid = entry.gid = self.uid
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(entry)
        with self._container(name=name, target=target) as container:
            container.put_archive("/", buffer.getvalue())

    def owns(self, name: str, target: str) -> bool:
        """Return whether the service's user owns it; False for a missing volume."""
        try:
            self.client.volumes.get(name)
        except docker.errors.NotFound:
            return False
        with self._container(name=name, target=target) as container:
            stream, _ = container.get_archive(target)
            # The root comes first in the archive; the rest of the volume may be large.
            head = next(iter(stream))
            with tarfile.open(fileobj=io.BytesIO(head), mode="r|") as archive:
                root = archive.next()
        return root is not None and root.uid == self.uid

    def check(self, files: Mapping[str, File], checker: Sequence[str]) -> str | None:
        """Return the checker's output if it refuses the files, else None.

        The files are copied to a temporary container without network; the volume is not changed.
        """
        container = self.client.containers.create(
            self.image,
            entrypoint=list(checker[:1]),
            command=list(checker[1:]),
            user=f"{self.uid}:{self.uid}",
            network_mode="none",
            working_dir="/",
            labels={HELPER_LABEL: self.name},
        )
        try:
            container.put_archive("/", _archive(files, self.uid, below=self.target))
            container.start()
            status = container.wait(timeout=CHECK_SECONDS)["StatusCode"]
            # One stream after the other: engines interleave their lines differently.
            streams = [container.logs(stdout=out, stderr=not out) for out in (True, False)]
            words = [stream.decode(errors="replace").strip() for stream in streams]
            output = "\n\n".join(filter(None, words))
        finally:
            _remove_container(container)
        return None if status == 0 else output or f"{checker[0]} ended with status {status}"

    def _remove(self, paths: Sequence[str]) -> None:
        targets = [posixpath.join(self.target, path) for path in paths]
        with self._container(["rm", "-f", "--", *targets]) as container:
            container.start()
            status = container.wait(timeout=CHECK_SECONDS)["StatusCode"]
            if status != 0:
                raise OSError(container.logs().decode(errors="replace").strip())

    def _read(self, container: Container) -> dict[str, str]:
        stream, _ = container.get_archive(self.target)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            root = posixpath.basename(self.target.rstrip("/"))
            return {
                posixpath.relpath(member.name, root): extracted.read().decode(errors="replace")
                for member in archive
                if member.isfile() and (extracted := archive.extractfile(member)) is not None
            }

    @contextlib.contextmanager
    def _container(
        self, command: Sequence[str] = ("true",), *, name: str = "", target: str = ""
    ) -> Iterator[Container]:
        container = self.client.containers.create(
            self.image,
            entrypoint=list(command[:1]),
            command=list(command[1:]),
            # The volume's root belongs to Docker's root until the first file is put.
            user="0:0",
            network_mode="none",
            labels={HELPER_LABEL: self.name},
            # Without no_copy Docker fills an empty volume with the image's own example files.
            mounts=[Mount(target or self.target, name or self.name, type="volume", no_copy=True)],
        )
        try:
            yield container
        finally:
            _remove_container(container)


def _remove_container(container: Container) -> None:
    # `v`: images such as Prometheus' declare anonymous volumes, which would be left behind.
    with contextlib.suppress(docker.errors.NotFound):
        container.remove(force=True, v=True)


def _archive(files: Mapping[str, File], uid: int, below: str = "") -> bytes:
    """Return a tar of the files with their folders, which Docker would create for root alone."""
    buffer = io.BytesIO()
    prefix = below.strip("/")
    paths = {posixpath.join(prefix, path): file for path, file in files.items()}
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in sorted({parent for path in paths for parent in _parents(path, prefix)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.uid = entry.gid = uid
            archive.addfile(entry)
        for path, file in sorted(paths.items()):
            content = file.text.encode()
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), file.mode
            entry.uid = entry.gid = uid
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _parents(path: str, prefix: str) -> list[str]:
    """Return the folders of a path that have to be created: not `/etc` itself."""
    folders = []
    folder = posixpath.dirname(path)
    while folder and folder != prefix:
        folders.append(folder)
        folder = posixpath.dirname(folder)
    return [*folders, prefix] if prefix else folders
