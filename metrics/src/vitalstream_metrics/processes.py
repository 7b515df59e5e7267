"""Processes of this machine, read from /proc: whether they live, when they began, what they use."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()
_SPAWNED = b"spawn_main"


class Usage(NamedTuple):
    """Resource usage of a process, in seconds and bytes."""

    cpu_seconds: float
    resident_bytes: float
    virtual_bytes: float
    open_fds: float
    max_fds: float


def start_ticks(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine did; None if it is gone.

    With the process id it names one process for ever: ids are used again. A zombie is gone: its
    parent has not noticed yet. Without /proc, 0 for every process that lives.
    """
    if not HAS_PROC:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return 0
    fields = _stat(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[19])


def parent(pid: int) -> int | None:
    """Return the id of a process's parent; None if it is gone, or without /proc."""
    fields = _stat(pid) if HAS_PROC else None
    return None if fields is None else int(fields[1])


def start_time(ticks: int) -> float:
    """Return clock ticks since the machine began as Unix time in seconds."""
    for line in (PROC / "stat").read_bytes().splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    raise OSError("/proc/stat has no btime")


def usage(pid: int) -> Usage | None:
    """Return what a process uses; None if it is gone or may not be read."""
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        limits = (PROC / str(pid) / "limits").read_bytes().splitlines()
        open_fds = len(os.listdir(PROC / str(pid) / "fd"))
    except OSError:
        return None
    found = [line.split()[3] for line in limits if line.startswith(b"Max open file")]
    max_fds = float(found[0]) if found and found[0] != b"unlimited" else float("inf")
    return Usage(
        (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        int(fields[20]),
        open_fds,
        max_fds,
    )


def count_workers() -> int:
    """Return how many processes serve this application beside each other, this one included.

    Recognised are gunicorn's workers, and those that uvicorn, hypercorn and granian make with
    `multiprocessing`: children of one parent that were made the same way.
    """
    process = sys.modules.get("multiprocessing.process")
    is_child = process is not None and process.parent_process() is not None
    if not HAS_PROC or not (is_child or "gunicorn.arbiter" in sys.modules):
        return 1
    command = _command(os.getpid())
    siblings = [
        other
        for pid in _children(os.getppid())
        if pid != os.getpid() and start_ticks(pid) is not None and (other := _command(pid))
    ]
    spawned = _SPAWNED in command
    return 1 + sum(other == command or (spawned and _SPAWNED in other) for other in siblings)


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the third (state) on."""
    try:
        # The second is the command's name in brackets, which may contain anything.
        return (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None


def _command(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _children(pid: int) -> list[int]:
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and parent(int(entry.name)) == pid:
            found.append(int(entry.name))
    return found
