"""Reads an archive, and trusts nothing in it that it has not looked at."""

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
    """The manifest is read at once; `verify` reads all the rest. Each raises BackupError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
        with self._in_words():
            self.manifest = self._manifest()

    def close(self) -> None:
        self._file.close()

    def verify(self, advance: Advance) -> None:
        """Every file's checksum, and every name in it. `advance` gets the bytes read."""
        with self._in_words():
            places = self._places()
            wanted = {part.file for part in self.manifest.services.values()}
            for missing in sorted(wanted - set(places)):
                raise BackupError(f"{missing} is missing in it")
            for unknown in sorted(set(places) - wanted - {MANIFEST}):
                raise BackupError(f"its manifest does not know {unknown!r}, which is in it")
            for part in self.manifest.services.values():
                self._verify_checksum(part, places[part.file], advance)
                self._verify_content(part, places[part.file])

    def files(self, service: str, uid: int) -> Iterator[bytes]:
        """A service's files as a tar archive, chunk by chunk, owned by `uid`."""
        part = self.manifest.services[service]
        with self._in_words(), self._open(self._places()[part.file]) as archive:
            yield from members.packed(archive, uid)

    def _manifest(self) -> Manifest:
        entry = tarfile.TarInfo.frombuf(
            self._file.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape"
        )
        if entry.name != MANIFEST or entry.size != MANIFEST_BYTES:
            raise BackupError("it does not begin with a manifest: it is no archive of `ops backup`")
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
            raise BackupError(f"{part.file} has not the size that the manifest says")
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
            raise BackupError(f"{part.file} has not the checksum that the manifest says")

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
            raise BackupError(f"{part.file} has not the content that the manifest says")

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
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise BackupError(
                f"{self.path} is damaged ({error}): take another archive. Nothing was touched."
            ) from None
        except BackupError as error:
            raise BackupError(
                f"{self.path} cannot be restored: {error}. Nothing was touched."
            ) from None
