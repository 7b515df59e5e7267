"""Choices of `python -m ops diff`."""

from __future__ import annotations

from enum import StrEnum

# GitHub counts characters; counted in bytes, a comment is never too long.
COMMENT_BYTES = 65_536
# Room enough for the first lines, which are never cut.
LEAST_BYTES = 8_192


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


class FailOn(StrEnum):
    INTERRUPTION = "interruption"
    WEAKENED = "weakened"
