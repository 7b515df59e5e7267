"""A preview's report as a file, and the marker in its first line."""

from __future__ import annotations

from pathlib import Path

MARKER = "<!-- vitalstream-preview: prod -->"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "report.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
