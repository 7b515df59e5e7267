"""Archives of backups, whole and otherwise."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ops.backup import manifest
from ops.backup.manifest import MANIFEST, MANIFEST_BYTES, Manifest, Part
from ops.backup.writer import ArchiveWriter

UID = 65534
TAKEN_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
FILES = {"silences": b"a silence", "nflog": b"a notification " * 9000}


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, size: int = 0, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def files_of(files: Mapping[str, bytes]) -> bytes:
    return tar_of(*((entry(name, len(content)), content) for name, content in files.items()))


def part_of(packed: bytes, content_bytes: int, content_files: int, **fields: Any) -> Part:
    found: dict[str, Any] = {
        "file": "alertmanager.tar.gz",
        "size": len(packed),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "content_bytes": content_bytes,
        "content_files": content_files,
        "version": "0.25.0",
        "image": "prom/alertmanager:v0.25.0",
        "held_seconds": 1.5,
        **fields,
    }
    return Part(**found)


def crafted(path: Path, packed: bytes, part: Part, **changes: Any) -> Path:
    """Write an archive of one part, with `changes` to its manifest, without `ops backup`."""
    whole = Manifest(stack="prod", taken_at=TAKEN_AT, services={"alertmanager": part})
    text = json.loads(manifest.encode(whole)) | changes
    head = json.dumps(text).encode().ljust(MANIFEST_BYTES)
    path.write_bytes(
        tar_of(
            (entry(MANIFEST, MANIFEST_BYTES), head),
            (entry("alertmanager.tar.gz", len(packed)), packed),
        )
    )
    return path


def with_content(path: Path, content: bytes, content_bytes: int, content_files: int) -> Path:
    """Write an archive with valid checksums and any content."""
    packed = gzip.compress(content)
    return crafted(path, packed, part_of(packed, content_bytes, content_files))


def good(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write an archive as `ops backup` does."""
    with ArchiveWriter(path) as archive:
        with archive.part("alertmanager", UID) as part:
            for name, content in files.items():
                part.add(entry(name, len(content), mode=0o640), io.BytesIO(content))
        written = Part(
            file=part.file,
            size=part.size,
            sha256=part.sha256,
            content_bytes=part.content_bytes,
            content_files=part.content_files,
            version="0.25.0",
            image="prom/alertmanager:v0.25.0",
            held_seconds=1.5,
        )
        services = {"alertmanager": written}
        archive.finish(Manifest(stack="prod", taken_at=TAKEN_AT, services=services))
    return path
