"""Shell scripts in a container."""

from __future__ import annotations

from docker.models.containers import Container


def run(container: Container, script: str, *arguments: str) -> tuple[int, str]:
    """Run a script and return exit code and stdout; after a failure, stderr too.

    A successful script may print warnings on stderr: busybox' `cp -a` warns about groups.
    """
    command = ["sh", "-c", script, "ops", *arguments]
    status, both = container.exec_run(command, demux=True)
    assert status is not None
    assert isinstance(both, tuple)
    output, errors = ((part or b"").decode(errors="replace") for part in both)
    return status, (output + errors if status else output).strip()
