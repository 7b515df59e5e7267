"""Output of a script in a container; Docker keeps its two streams without a common order."""

from __future__ import annotations

from typing import Any, cast

import pytest
from docker.models.containers import Container

from ops.backup import shell

# As busybox says it of Grafana's plugins, which are of root's group.
WARNING = b"cp: can't preserve ownership of 'plugins': Operation not permitted\n"


class Said:
    """Return a container whose scripts all print the same."""

    def __init__(self, status: int, output: bytes | None, errors: bytes | None) -> None:
        self._answer = status, (output, errors)

    def exec_run(self, _command: list[str], *, demux: bool) -> Any:
        assert demux
        return self._answer


def run(status: int, output: bytes | None, errors: bytes | None) -> tuple[int, str]:
    return shell.run(cast(Container, Said(status, output, errors)), "script")


def test_script_success_with_warning_returns_stdout_only() -> None:
    assert run(0, b"45025.61 45025.62\n", WARNING) == (0, "45025.61 45025.62")


def test_script_failure_reports_its_error() -> None:
    assert run(1, b"half\n", b"no room\n") == (1, "half\nno room")


@pytest.mark.parametrize("status", [0, 1])
def test_script_without_output_returns_nothing(status: int) -> None:
    assert run(status, None, None) == (status, "")
