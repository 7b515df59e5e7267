"""A container image, as the table of images has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """An official image: `uid` is the user that its service runs as, and owns its files."""

    repository: str
    tag: str
    digest: str | None
    uid: int

    @property
    def reference(self) -> str:
        name = f"{self.repository}:{self.tag}"
        return f"{name}@{self.digest}" if self.digest else name
