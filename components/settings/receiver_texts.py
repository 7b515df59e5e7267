"""Texts of the user's own in receivers: templates of Alertmanager.

Their syntax is judged by amtool in the preview, as files that are named by their paths; here is
what it does not mind: a template that is not there, which fails only when an alert is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from components.common.problems import Problem
from components.settings.secrets import Path
from components.user_files.paths import PROJECT_DIR

_USED = re.compile(r"\{\{-?\s*template\s+\"([^\"]+)\"")
_DEFINED = re.compile(r"\{\{-?\s*define\s+\"([^\"]+)\"")
# Alertmanager's own: slack.default.title, __subject.
_BUILT_IN = re.compile(r"__\w+|\w+\.default\.[\w.]+")


def templates_in(leaves: Iterator[tuple[Path, Any]]) -> Iterator[tuple[Path, str]]:
    """The texts that are templates, by their paths."""
    return ((path, text) for path, text in leaves if isinstance(text, str) and "{{" in text)


def problems(leaves: Iterator[tuple[Path, Any]]) -> Iterator[Problem]:
    for path, text in templates_in(leaves):
        if text.count("{{") != text.count("}}"):
            yield Problem(path, "is a template with {{ and no }}", _edit(path))
        own = _DEFINED.findall(text)
        for name in _USED.findall(text):
            if name not in (*own, *_shipped()) and not _BUILT_IN.fullmatch(name):
                there = ", ".join(found for found in _shipped() if found.count(".") == 1)
                yield Problem(
                    path, f"names the template {name}, which there is not; {there} are", _edit(path)
                )


def _edit(path: Path) -> str:
    return f"edit vitalstream:receivers.{'.'.join(path)} in the stack's file"


@cache
def _shipped() -> tuple[str, ...]:
    texts = (path.read_text() for path in sorted((PROJECT_DIR / "templates").glob("*.tmpl")))
    return tuple(name for text in texts for name in _DEFINED.findall(text))
