"""The rule files of `rules/`, as Prometheus gets them."""

from __future__ import annotations

from pathlib import Path

RULES_DIR = Path(__file__).resolve().parent.parent / "rules"


def load() -> dict[str, str]:
    """The text of every rule file by its name, as it stands: comments are for readers too."""
    return {path.name: path.read_text() for path in sorted(RULES_DIR.glob("*.yml"))}
