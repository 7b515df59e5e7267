"""Ports for stacks under test."""

from __future__ import annotations

import contextlib
import os
import random
import socket

from components.catalog.services import DEFAULT_PORTS

# Below those that the kernel gives to outgoing connections, which would take one between now and
# the start of its container. Each process of `pytest -n` has its own, for the same reason.
FIRST, A_PROCESS = 16_000, 2_000
PROCESSES = 8


def free_ports(*replicas: str) -> dict[str, int]:
    """A port for each published service, and for these replicas, off the defaults, that nobody has
    at this moment.
    """
    names = (*DEFAULT_PORTS, *replicas)
    return dict(zip(names, _free(len(names)), strict=True))


def free_port() -> int:
    """One such port."""
    return _free(1)[0]


def _free(count: int) -> list[int]:
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    first = FIRST + process * A_PROCESS
    found: list[int] = []
    for port in random.sample(range(first, first + A_PROCESS), A_PROCESS):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"fewer than {count} ports are free from {first}")
