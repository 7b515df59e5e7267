"""Networks of the test's own, one a run."""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.live.namespaces import NoEngineError, run

# Addresses are 10.214.x.y: x is the network's, y is 1 for this machine, 2 and more for the others.
RANGE = "10.214"


@contextlib.contextmanager
def subnet() -> Iterator[int]:
    """Return the third number of a free network, reserved across test runs."""
    taken = run("ip", "-oneline", "address")
    for third in secrets.SystemRandom().sample(range(1, 255), 254):
        lock = Path(tempfile.gettempdir()) / f"vitalstream-{RANGE}.{third}.lock"
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if f" {RANGE}.{third}." in taken:
                continue
            try:
                yield third
            finally:
                lock.unlink(missing_ok=True)
            return
    raise NoEngineError(f"no network of {RANGE}.0.0/16 is free")
