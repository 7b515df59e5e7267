"""Worker processes that share a folder of metrics: who lives, and what the dead leave behind.

prometheus-client writes each process's metrics to files in `PROMETHEUS_MULTIPROC_DIR`, and expects
a hook of the server for a process that ends. Uvicorn, hypercorn and granian have none, and a killed
process runs none: so the files of the dead are looked for at every scrape.
"""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import values

from vitalstream_metrics import processes

try:
    import fcntl
except ImportError:  # Windows: no server has several workers there
    fcntl = None  # type: ignore[assignment]

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
STATE_FILE = "workers.json"
LOCK_FILE = "scrape.lock"

_log = logging.getLogger("vitalstream_metrics")
_warnings: set[str] = set()


class DirectoryError(RuntimeError):
    """`PROMETHEUS_MULTIPROC_DIR` cannot be used; the message says why and what to do."""


def directory() -> Path | None:
    """Return the folder that the workers share; None if there is one process only.

    Raises DirectoryError if the variable names no writable folder.
    """
    name = os.environ.get(VARIABLE)
    if name is None:
        return None
    if not name or not os.path.isdir(name) or not os.access(name, os.W_OK | os.X_OK):
        reason = "is empty" if not name else f"names no writable folder: {name}"
        raise DirectoryError(
            f"{VARIABLE} {reason}. fix: create the folder before the server starts and empty it at"
            f" each start, or unset the variable if there is one worker"
        )
    return Path(name)


def is_shared() -> bool:
    """Return whether this process writes its metrics into the folder that workers share."""
    return VARIABLE in os.environ and getattr(values.ValueClass, "_multiprocess", False)


class State:
    """Processes that were seen, by id: when each began, its CPU when it was last seen, and
    whether it serves. `ended_cpu_seconds` is what those that ended had used."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / STATE_FILE
        self.seen: dict[int, tuple[int, float, bool]] = {}
        self.ended_cpu_seconds = 0.0
        try:
            found = json.loads(self._file.read_text())
        except FileNotFoundError:
            return
        except ValueError:
            _log.warning("%s is not readable: it is made anew", self._file)
            return
        self.ended_cpu_seconds = found["ended_cpu_seconds"]
        self.seen = {int(pid): tuple(entry) for pid, entry in found["seen"].items()}

    def save(self) -> None:
        """Write the state, in one step."""
        text = json.dumps({"ended_cpu_seconds": self.ended_cpu_seconds, "seen": self.seen})
        part = self._file.with_suffix(".part")
        part.write_text(text)
        part.replace(self._file)

    def is_alive(self, pid: int) -> bool:
        """Return whether the process that was seen under `pid` lives; if none was, any."""
        ticks = processes.start_ticks(pid)
        return ticks is not None and (pid not in self.seen or self.seen[pid][0] == ticks)

    def bury(self) -> None:
        """Forget the processes that ended, but not the CPU they used: a counter never falls."""
        for pid in [pid for pid in self.seen if not self.is_alive(pid)]:
            self.ended_cpu_seconds += self.seen.pop(pid)[1]

    def meet(self, pid: int, *, serves: bool) -> None:
        """Note that a process lives."""
        ticks = processes.start_ticks(pid)
        if ticks is not None:
            known = self.seen.get(pid, (ticks, 0.0, False))
            self.seen[pid] = (ticks, known[1], serves or known[2])

    def workers(self) -> list[int]:
        """Return the processes that serve.

        A process that has metrics but was not seen serving counts, unless it is another's parent:
        that is the server's master, which loaded the application before it made its workers.
        """
        parents = {processes.parent(pid) for pid in self.seen}
        return [pid for pid, seen in self.seen.items() if seen[2] or pid not in parents]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep the other workers' scrapes out: files are merged and removed meanwhile."""
    with (folder / LOCK_FILE).open("a") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def announce_worker() -> None:
    """Note that this process serves requests, and warn where its metrics would be wrong."""
    folder = directory()
    if folder is not None:
        with locked(folder):
            state = State(folder)
            state.bury()
            state.meet(os.getpid(), serves=True)
            state.save()
    is_misconfigured()


def is_misconfigured() -> bool:
    """Return whether a scrape shows one worker of several; the reason is logged once."""
    if is_shared():
        return False
    if VARIABLE in os.environ:
        return _warn(f"{VARIABLE} was set after prometheus_client was imported, and has no effect")
    if processes.count_workers() > 1:
        return _warn(f"several workers serve this application, and {VARIABLE} is not set")
    return False


def _warn(problem: str) -> bool:
    if problem not in _warnings:
        _warnings.add(problem)
        _log.warning(
            "%s: every scrape shows another worker's figures. fix: set %s to an empty, writable"
            " folder before the server starts",
            problem,
            VARIABLE,
        )
    return True


def forget_predecessor() -> None:
    """Remove gauges of living processes left by one that had this process's id before it."""
    folder = directory()
    if folder is not None:
        began = time.time()
        if processes.HAS_PROC:
            began = processes.start_time(processes.start_ticks(os.getpid()) or 0)
        for path in folder.glob(f"gauge_live*_{os.getpid()}.db"):
            if path.stat().st_mtime < began - 1:
                path.unlink()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_predecessor)
