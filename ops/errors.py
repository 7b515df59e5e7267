"""Error that a user of `python -m ops` or `python -m benchmarks` reads."""

from __future__ import annotations


class OpsError(Exception):
    """User-facing error, printed verbatim: what is wrong, where, and how to fix it."""
