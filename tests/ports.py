"""Ports for stacks under test."""

from __future__ import annotations

import contextlib
import socket

from components.catalog import DEFAULT_PORTS


def free_ports(*replicas: str) -> dict[str, int]:
    """A port for each published service, and for these replicas, off the defaults, that nobody has
    at this moment.
    """
    names = (*DEFAULT_PORTS, *replicas)
    with contextlib.ExitStack() as stack:
        held = {name: stack.enter_context(socket.socket()) for name in names}
        for probe in held.values():
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in held.items()}
