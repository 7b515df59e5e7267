"""Archive reader that verifies everything before it is used."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from ops.backup import manifest, members
from ops.backup.errors import BackupError
from ops.backup.manifest import MANIFEST, MANIFEST_BYTES, Manifest, Part

Advance = Callable[[int], None]


class ArchiveReader:
    """Reader of an archive: the manifest first, then `verify`. Both raise BackupError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
        with self._with_path():
            self.manifest = self._manifest()

    def close(self) -> None:
        self._file.close()

    def verify(self, advance: Advance) -> None:
        """Check all checksums and names; `advance` is called with the bytes read."""
        with self._with_path():
            places = self._places()
            wanted = {part.file for part in self.manifest.services.values()}
            for missing in sorted(wanted - set(places)):
                raise BackupError(f"{missing} is missing in it")
            for unknown in sorted(set(places) - wanted - {MANIFEST}):
                raise BackupError(f"{unknown!r} is in it, but not in its manifest")
            for part in self.manifest.services.values():
                self._verify_checksum(part, places[part.file], advance)
                self._verify_content(part, places[part.file])

    def files(self, service: str, uid: int) -> Iterator[bytes]:
        """Return a service's files as a tar archive with owner `uid`, in chunks."""
        part = self.manifest.services[service]
        with self._with_path(), self._open(self._places()[part.file]) as archive:
            yield from members.packed(archive, uid)

    def _manifest(self) -> Manifest:
        entry = tarfile.TarInfo.frombuf(
            self._file.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape"
        )
        if entry.name != MANIFEST or entry.size != MANIFEST_BYTES:
            raise BackupError("it has no manifest: it was not written by `ops backup`")
        return manifest.decode(self._file.read(MANIFEST_BYTES))

    def _places(self) -> dict[str, tarfile.TarInfo]:
        self._file.seek(0)
        with tarfile.open(fileobj=self._file, mode="r:") as archive:
            found = archive.getmembers()
        names = [member.name for member in found]
        if len(set(names)) < len(names):
            raise BackupError("a name is twice in it")
        return dict(zip(names, found, strict=True))

    def _verify_checksum(self, part: Part, place: tarfile.TarInfo, advance: Advance) -> None:
        if place.type != tarfile.REGTYPE or place.size != part.size:
            raise BackupError(f"the size of {part.file} differs from the manifest")
        digest, left = hashlib.sha256(), part.size
        self._file.seek(place.offset_data)
        while left:
            chunk = self._file.read(min(left, members.CHUNK_BYTES))
            if not chunk:
                raise BackupError("its end is missing")
            digest.update(chunk)
            left -= len(chunk)
            advance(len(chunk))
        if digest.hexdigest() != part.sha256:
            raise BackupError(f"the checksum of {part.file} differs from the manifest")

    def _verify_content(self, part: Part, place: tarfile.TarInfo) -> None:
        names: set[str] = set()
        size = files = 0
        with self._open(place) as archive:
            for member in archive:
                name = members.checked(member).name.rstrip("/")
                if name in names:
                    raise BackupError(f"{name!r} is twice in {part.file}")
                names.add(name)
                size += member.size
                files += member.isfile()
                if size > part.content_bytes or files > part.content_files:
                    break
        if (size, files) != (part.content_bytes, part.content_files):
            raise BackupError(f"the content of {part.file} differs from the manifest")

    @contextlib.contextmanager
    def _open(self, place: tarfile.TarInfo) -> Iterator[tarfile.TarFile]:
        self._file.seek(place.offset_data)
        window = cast("IO[bytes]", members.Stream(self._window(place.size)))
        with (
            gzip.GzipFile(fileobj=window, mode="rb") as content,
            members.source(cast("IO[bytes]", content)) as archive,
        ):
            yield archive

    def _window(self, size: int) -> Iterator[bytes]:
        while size and (chunk := self._file.read(min(size, members.CHUNK_BYTES))):
            size -= len(chunk)
            yield chunk

    @contextlib.contextmanager
    def _with_path(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise BackupError(
                f"{self.path} is damaged ({error}). fix: use another archive. Nothing was touched."
            ) from None
        except BackupError as error:
            raise BackupError(
                f"{self.path} cannot be restored: {error}. Nothing was touched."
            ) from None
