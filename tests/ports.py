"""Ports for stacks under test."""

from __future__ import annotations

import contextlib
import socket

from components.catalog import DEFAULT_PORTS


def free_ports() -> dict[str, int]:
    """A port for each published service, off the defaults, that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        held = {service: stack.enter_context(socket.socket()) for service in DEFAULT_PORTS}
        for probe in held.values():
            probe.bind(("127.0.0.1", 0))
        return {service: probe.getsockname()[1] for service, probe in held.items()}
