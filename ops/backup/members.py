"""Streamed tar archives of a service's files.

Only regular files and folders below one folder are accepted, in both directions.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from ops.backup.errors import BackupError

CHUNK_BYTES = 1 << 20
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class Stream:
    """Readable file object on top of chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")

    def read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            if not self._chunk:
                self._chunk = memoryview(next(self._chunks, b""))
                if not self._chunk:
                    break
            wanted = size - len(found)
            found += self._chunk[:wanted]
            self._chunk = self._chunk[wanted:]
        return bytes(found)


def source(content: Stream | IO[bytes]) -> tarfile.TarFile:
    """Open an archive for sequential reading."""
    return tarfile.open(fileobj=cast("IO[bytes]", content), mode="r|", bufsize=CHUNK_BYTES)


def target(out: IO[bytes]) -> tarfile.TarFile:
    """Open an archive for sequential writing."""
    return tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK_BYTES, format=tarfile.GNU_FORMAT)


def checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member if it is a regular file or folder inside. Raises BackupError."""
    name = member.name
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise BackupError(f"{name!r} in it leads out of its folder")
    if parts[0].startswith(".vitalstream"):
        raise BackupError(f"{name!r} in it has a name that is reserved for restoring")
    if not member.isdir() and member.type not in _PLAIN:
        what = _KINDS.get(member.type, "neither a file nor a folder")
        raise BackupError(f"{name!r} in it is {what}")
    return member


def below(archive: tarfile.TarFile, folder: str) -> Iterator[tarfile.TarInfo]:
    """Return the members below a folder of Docker's archive, with relative names."""
    for member in archive:
        member.name = posixpath.relpath(member.name, folder)
        if member.name != ".":
            yield checked(member)


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(member)
    assert found is not None
    return found


def owned(member: tarfile.TarInfo, uid: int) -> tarfile.TarInfo:
    """Return a member with this owner; of the metadata only time and mode are kept."""
    plain = tarfile.TarInfo(member.name)
    plain.type = tarfile.DIRTYPE if member.isdir() else tarfile.REGTYPE
    plain.size = 0 if member.isdir() else member.size
    plain.mtime = int(member.mtime)
    plain.mode = member.mode & 0o777
    plain.uid = plain.gid = uid
    return plain


def packed(archive: tarfile.TarFile, uid: int) -> Iterator[bytes]:
    """Repack an archive with owner `uid`, in chunks."""
    for member in archive:
        plain = owned(checked(member), uid)
        yield plain.tobuf(tarfile.GNU_FORMAT)
        if plain.isfile():
            file = content(archive, member)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            yield bytes(-plain.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
