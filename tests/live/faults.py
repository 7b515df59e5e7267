"""Faults of a running stack: each is entered, lasts, and is over on leaving.

What is entered is when the fault was there, in Unix time.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, eventually

Fault = Callable[[Stack], AbstractContextManager[float]]

DISK_MEBIBYTES = 32
FILLED = 0.95
READY_SECONDS = 30
AT_ONCE = 16


def killed(service: str) -> Fault:
    """Kill the service's process and start it again."""

    @contextlib.contextmanager
    def fault(stack: Stack) -> Iterator[float]:
        container = stack.container(service)
        container.kill()
        try:
            yield time.time()
        finally:
            container.start()

    return fault


def open_transaction(threshold_seconds: float) -> Fault:
    """Idle in a transaction, which is the fault from when it is older than the threshold."""

    @contextlib.contextmanager
    def fault(stack: Stack) -> Iterator[float]:
        with connection(stack) as session:
            session.execute("SELECT 1")
            yield time.time() + threshold_seconds

    return fault


def connections(count: int) -> Fault:
    """So many that do nothing."""

    @contextlib.contextmanager
    def fault(stack: Stack) -> Iterator[float]:
        with contextlib.ExitStack() as sessions, ThreadPoolExecutor(AT_ONCE) as pool:
            for session in pool.map(lambda _: connection(stack), range(count)):
                sessions.enter_context(session)
            yield time.time()

    return fault


def connection(stack: Stack) -> psycopg.Connection:
    return psycopg.connect(
        host=stack.address("demo-postgres"),
        user="postgres_exporter",
        password=SECRETS["postgresPassword"],
        dbname="postgres",
        connect_timeout=TIMEOUT_SECONDS,
    )


@dataclass(frozen=True)
class Requests:
    """Send the backend's only requests, so that the test controls the share of errors."""

    stack: Stack

    @property
    def _backend(self) -> str:
        return f"http://{self.stack.address('demo-backend')}:8000"

    def good(self, count: int) -> None:
        # Few at once: the backend has a small share of a CPU, and is not to fail for that.
        self._make(count, 2, 200)

    def bad(self, count: int, latency_seconds: float) -> None:
        """So many that fail, each after this long."""
        self._inject({"errors": 1, "latency_seconds": latency_seconds})
        try:
            self._make(count, AT_ONCE, 500)
        finally:
            self._inject({})

    def wait_until_ready(self) -> None:
        """Until the backend has its stores."""

        def ready() -> bool:
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"{self._backend}/readyz", timeout=TIMEOUT_SECONDS).ok
            return False

        assert eventually(ready, READY_SECONDS), "the demo's backend does not get its stores"

    def _inject(self, fault: dict[str, float]) -> None:
        answer = requests.post(f"{self._backend}/demo/fault", json=fault, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()

    def _make(self, count: int, at_once: int, expected: int) -> None:
        url = f"{self._backend}/api/v1/patients"

        def one(_: int) -> int:
            return requests.get(url, timeout=TIMEOUT_SECONDS).status_code

        with ThreadPoolExecutor(at_once) as pool:
            statuses = Counter(pool.map(one, range(count)))
        # A busy machine may fail one or the other.
        assert statuses[expected] >= 0.98 * count, f"answers of {url} by status: {statuses}"


def failing_and_slow(good: int, bad: int, latency_seconds: float) -> Fault:
    """So many requests that fail after that long, on top of so many good ones; in the end as many
    good ones more as make the share of the others 2 %.
    """

    @contextlib.contextmanager
    def fault(stack: Stack) -> Iterator[float]:
        made = Requests(stack)
        made.bad(bad, latency_seconds)
        try:
            yield time.time()
        finally:
            made.wait_until_ready()
            made.good(bad * 50 - good)

    return fault


def seen(fault: Fault, seconds: float) -> Fault:
    """Fault that lasts for a while before the next one begins."""

    @contextlib.contextmanager
    def waited(stack: Stack) -> Iterator[float]:
        with fault(stack) as began:
            time.sleep(seconds)
            yield began

    return waited


@dataclass(frozen=True)
class SmallDisk:
    """File system in a file, mounted where any user may read."""

    mount_point: Path

    @contextlib.contextmanager
    def read_only(self, _stack: Stack) -> Iterator[float]:
        """A `Fault`: as the kernel remounts a disk that fails."""
        _run("mount", "-o", "remount,ro", self.mount_point)
        try:
            yield time.time()
        finally:
            _run("mount", "-o", "remount,rw", self.mount_point)

    @contextlib.contextmanager
    def full(self, _stack: Stack) -> Iterator[float]:
        """A `Fault`."""
        file = self.mount_point / "filled"
        try:
            free = shutil.disk_usage(self.mount_point).free
            file.write_bytes(bytes(int(free * FILLED)))
            yield time.time()
        finally:
            file.unlink(missing_ok=True)


def full_disks(disks: Sequence[SmallDisk]) -> Fault:
    """All of them full at once."""

    @contextlib.contextmanager
    def fault(stack: Stack) -> Iterator[float]:
        with contextlib.ExitStack() as filled:
            yield max([filled.enter_context(disk.full(stack)) for disk in disks])

    return fault


class NoDiskError(Exception):
    """Raised when this machine allows no mount of a small disk; the message says why."""


@contextlib.contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Mount a small disk; needed before node_exporter starts, which sees no later mounts if / is
    not shared. Raises NoDiskError.
    """
    # Below /var/lib/docker or /run it would be left out, and pytest's own folder is private.
    with tempfile.TemporaryDirectory(prefix="vitalstream-disk-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        image, mount_point = Path(folder) / "image", Path(folder) / "mounted"
        mount_point.mkdir()
        with image.open("wb") as file:
            file.truncate(DISK_MEBIBYTES * 2**20)
        _run("mkfs.ext4", "-q", "-F", image)
        _run("mount", "-o", "loop", image, mount_point)
        try:
            yield SmallDisk(mount_point)
        finally:
            # Lazily: a container that still has it in view does not keep it.
            _run("umount", "--lazy", mount_point)


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except OSError as error:
        raise NoDiskError(str(error)) from None
    if done.returncode != 0:
        raise NoDiskError(f"{command[0]}: {done.stderr.strip()}")
