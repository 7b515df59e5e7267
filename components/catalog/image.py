"""Container image, an entry of the image table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """Official image: `uid` is the user that its service runs as and that owns its files."""

    repository: str
    tag: str
    digest: str | None
    uid: int

    @property
    def reference(self) -> str:
        name = f"{self.repository}:{self.tag}"
        return f"{name}@{self.digest}" if self.digest else name
