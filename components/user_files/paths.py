"""The user's own files, which settings name by a path relative to the project."""

from __future__ import annotations

from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]
TARGETS_FOLDER = "targets"
"""Folder of discovery's files, below Prometheus' own folder."""


class ProjectFileError(ValueError):
    """File that is not what the setting requires; the message says why."""


def resolved(path: str, project: Path) -> Path:
    """Return the absolute path, whether or not it exists. Raises ProjectFileError."""
    if Path(path).is_absolute():
        raise ProjectFileError(
            "is an absolute path, which another machine does not have: paths are relative to the "
            "folder of Pulumi.yaml"
        )
    return project / path


def text_of(file: Path, encoding: str = "utf-8") -> str:
    """Return the file's text. Raises ProjectFileError."""
    try:
        return file.read_text(encoding)
    except OSError as error:
        raise ProjectFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProjectFileError("is not text in UTF-8") from None
