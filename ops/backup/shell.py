"""A shell script in a container."""

from __future__ import annotations

from docker.models.containers import Container


def run(container: Container, script: str, *arguments: str) -> tuple[int, str]:
    """Its status, and its output; of one that failed, what it said of that as well.

    Docker keeps no order between the two, and a script that does its work may have warnings:
    busybox' `cp -a` has one, with status 0, of a group that it may not give away.
    """
    command = ["sh", "-c", script, "ops", *arguments]
    status, both = container.exec_run(command, demux=True)
    assert status is not None
    assert isinstance(both, tuple)
    output, errors = ((part or b"").decode(errors="replace") for part in both)
    return status, (output + errors if status else output).strip()
