"""Manifest of an archive."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ops.backup.errors import BackupError

FORMAT = 1
MANIFEST = "manifest.json"
# Reserved at the beginning of the archive; the content is written last.
MANIFEST_BYTES = 8 * 1024

Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Frozen):
    """Data of one service.

    `size` and `sha256` are those of the compressed `file`, `content_bytes` and `content_files` of
    its content. `held_seconds` is how long the service was paused.
    """

    file: Annotated[str, Field(pattern=r"^[a-z-]+\.tar\.gz$")]
    size: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    content_bytes: Count
    content_files: Count
    version: str
    image: str
    held_seconds: Annotated[float, Field(ge=0)]


class Manifest(_Frozen):
    format: int = FORMAT
    stack: str
    taken_at: datetime
    services: dict[str, Part]

    @property
    def content_bytes(self) -> int:
        return sum(part.content_bytes for part in self.services.values())


def encode(manifest: Manifest) -> bytes:
    """Return `MANIFEST_BYTES` of JSON, padded with spaces. Raises BackupError."""
    text = manifest.model_dump_json(indent=2).encode()
    if len(text) >= MANIFEST_BYTES:
        raise BackupError(f"The manifest is longer than {MANIFEST_BYTES} bytes.")
    return text.ljust(MANIFEST_BYTES - 1) + b"\n"


def decode(text: bytes) -> Manifest:
    """Raises BackupError."""
    try:
        found: Any = json.loads(text)
        format_ = found["format"]
    except (ValueError, KeyError, TypeError):
        raise BackupError("its manifest cannot be read") from None
    if format_ != FORMAT:
        raise BackupError(
            f"its format is {format_!r}, and this program reads format {FORMAT}: restore it with "
            "the version of this program that wrote it"
        )
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise BackupError(f"its manifest is invalid at {where}") from None
