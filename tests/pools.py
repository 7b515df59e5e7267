"""Address pools for the networks of test stacks."""

from __future__ import annotations

import fcntl
import secrets
import tempfile
from pathlib import Path
from typing import IO

SECOND = range(217, 221)
# Held until this process ends, so that two processes of a run never have the same pool.
_HELD: list[IO[str]] = []


def free_pool() -> str:
    """Return a /24 of 10.217.0.0 to 10.220.255.0 that no other process of the tests has."""
    pools = [(second, third) for second in SECOND for third in range(256)]
    for second, third in secrets.SystemRandom().sample(pools, len(pools)):
        path = Path(tempfile.gettempdir()) / f"vitalstream-pool-{second}.{third}.lock"
        lock = path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _HELD.append(lock)
        return f"10.{second}.{third}.0/24"
    raise RuntimeError("every pool of the tests is in use")
