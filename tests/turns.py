"""Locks for work that one process of `pytest -n`, or one run, does at a time."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def turn(name: str) -> Iterator[None]:
    """Waits until nobody on this machine has it; it ends with the process at the latest."""
    with (Path(tempfile.gettempdir()) / f"vitalstream-{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
