"""Archive writer: an uncompressed tar of the manifest and one compressed tar per service.

The archive is written under a temporary name with mode 0600, flushed to disk, and then renamed.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from ops.backup import manifest, members
from ops.backup.errors import BackupError
from ops.backup.manifest import Manifest

PARTIAL = ".partial"
MODE = 0o600
# Prometheus' chunks are compressed already: a higher level takes longer and saves little.
EFFORT = 1


@dataclass
class PartWriter:
    """Compressed tar of one service; `size` and `sha256` are set when it is closed."""

    file: str
    tar: tarfile.TarFile
    uid: int
    size: int = 0
    sha256: str = ""
    content_bytes: int = 0
    content_files: int = 0

    def add(self, member: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """Add a file with its content, or a folder."""
        plain = members.owned(member, self.uid)
        self.tar.addfile(plain, content)
        self.content_bytes += plain.size
        self.content_files += plain.isfile()


class ArchiveWriter:
    """Context manager; without `finish`, the temporary file is removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(path.name + PARTIAL)
        if path.exists():
            raise BackupError(f"{path} exists. fix: wait a second and start again")
        descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, MODE)
        self._out: IO[bytes] = os.fdopen(descriptor, "w+b")
        # Space for the manifest, which is written last.
        self._out.write(_header(manifest.MANIFEST, manifest.MANIFEST_BYTES))
        self._out.write(b" " * manifest.MANIFEST_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()
        self._partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def part(self, service: str, uid: int) -> Iterator[PartWriter]:
        """Add the part of a service, with files owned by `uid`."""
        file = f"{service}.tar.gz"
        header = self._out.tell()
        self._out.write(_header(file, 0))
        counting = _Counting(self._out)
        raw = cast("IO[bytes]", counting)
        with (
            gzip.GzipFile("", "wb", EFFORT, raw, mtime=0) as compressed,
            members.target(cast("IO[bytes]", compressed)) as tar,
        ):
            part = PartWriter(file, tar, uid)
            yield part
        part.size, part.sha256 = counting.size, counting.hash.hexdigest()
        self._out.write(bytes(-counting.size % tarfile.BLOCKSIZE))
        end = self._out.tell()
        self._out.seek(header)
        self._out.write(_header(file, counting.size))
        self._out.seek(end)

    def finish(self, found: Manifest) -> int:
        """Write the manifest, rename the archive and return its size in bytes."""
        self._out.write(bytes(2 * tarfile.BLOCKSIZE))
        size = self._out.tell()
        self._out.seek(tarfile.BLOCKSIZE)
        self._out.write(manifest.encode(found))
        self._out.flush()
        os.fsync(self._out.fileno())
        self._partial.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return size


class _Counting:
    """Output that counts and hashes what is written."""

    def __init__(self, out: IO[bytes]) -> None:
        self.size = 0
        self.hash = hashlib.sha256()
        self._out = out

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self.hash.update(data)
        return self._out.write(data)

    def flush(self) -> None:
        """Do nothing; called by gzip."""


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, MODE, int(time.time())
    return entry.tobuf(tarfile.GNU_FORMAT)
