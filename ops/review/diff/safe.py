"""Escaping of untrusted text.

Control characters would steer a terminal, and those that turn the direction of writing would show
another text than the one that is there: both are written out.
"""

from __future__ import annotations

import re
import unicodedata

_BACKTICKS = re.compile("`+")
MORE = "…"


def visible(text: str, *, lines: bool = False) -> str:
    """Replace invisible characters; with `lines`, keep line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join(char if lines and char in "\n\t" else _visible(char) for char in text)


def clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}{MORE}"


def code(text: str, most: int) -> str:
    """Return a Markdown code span: mentions, links and tags in it have no effect."""
    found = clipped(visible(text), most)
    if not found.strip():
        return "`(empty)`"
    fence = "`" * (_longest(found) + 1)
    pad = " " if found[0] in "` " or found[-1] in "` " else ""
    return f"{fence}{pad}{found}{pad}{fence}"


def fenced(text: str, language: str) -> str:
    """Return a Markdown code block."""
    found = visible(text, lines=True)
    fence = "`" * max(3, _longest(found) + 1)
    return f"{fence}{language}\n{found}\n{fence}"


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _visible(char: str) -> str:
    if char == "\n":
        return "⏎"
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        point = ord(char)
        return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
    return char
