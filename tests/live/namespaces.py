"""Namespaces of the kernel's, with processes, mounts and interfaces of their own, that end with the
test whatever ends it: their first process reads a pipe that only the test holds open.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.live.stack import eventually

# The first process of a machine. It reaps what is orphaned, and ends when nobody holds its input.
INIT = """
set -e
exec 3<&0
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ip link set lo up
{mounts}
echo ready
exec >/dev/null
cat <&3 & wait $!
"""


class NoEngineError(Exception):
    """Raised when this machine allows no second Docker Engine; the message says why."""


def run(*command: str, timeout: float = 60, stdin: object = subprocess.DEVNULL) -> str:
    """Return a command's output. Raises NoEngineError with its error output."""
    try:
        done = subprocess.run(
            command,
            stdin=stdin,  # type: ignore[arg-type]
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except OSError as error:
        raise NoEngineError(str(error)) from None
    if done.returncode != 0:
        raise NoEngineError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def inside(there: subprocess.Popen[str], *command: str, timeout: float = 60) -> str:
    return run(*entering(there), *command, timeout=timeout)


def entering(there: subprocess.Popen[str]) -> list[str]:
    return ["nsenter", f"--target={first_process(there)}", "--all", "--"]


def first_process(there: subprocess.Popen[str]) -> int:
    """Return the id of the namespaces' first process: `unshare`'s only child."""
    children = Path(f"/proc/{there.pid}/task/{there.pid}/children").read_text().split()
    return int(children[0])


@contextlib.contextmanager
def namespace(commands: str, *, network_only: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Namespaces in which these commands were run; everything in them is killed in the end.

    Raises NoEngineError.
    """
    kinds = ["--net", "--mount", "--pid"] + ([] if network_only else ["--ipc", "--uts"])
    process = subprocess.Popen(
        ["unshare", *kinds, "--fork", "--kill-child", "sh", "-c", INIT.format(mounts=commands)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        if process.stdout.readline() != "ready\n":
            raise NoEngineError(process.stderr.read().strip() or "unshare says nothing")
        yield process
    finally:
        with contextlib.suppress(OSError, IndexError):
            os.kill(first_process(process), signal.SIGKILL)
        process.kill()
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def remove_cgroup(folder: Path) -> None:
    """Docker leaves those of containers that it did not stop itself."""

    def removed() -> bool:
        for found in sorted(folder.rglob("*/"), key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):
                found.rmdir()
        with contextlib.suppress(OSError):
            folder.rmdir()
        return not folder.exists()

    assert eventually(removed, 10, pause=0.1), f"{folder} is in use"
