"""Each kind of incident once on running containers: the fault is made, and its alert fires.

One stack for all, with a `for` of seconds. What backends, exporters and hosts do when they are
killed, fill up or answer with errors is in test_delivery.py.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import docker
import psycopg
import pytest
import requests

from ops.offline import local_deploy
from tests.figures import ReportFigure
from tests.live import faults
from tests.live import stack as stacks
from tests.live.faults import NoDiskError, SmallDisk
from tests.live.stack import SCRAPE_SECONDS, SECRETS, TIMEOUT_SECONDS, Stack, eventually

NAME = "live-incidents"
JOBS = ("prometheus", "alertmanager", "node", "postgres", "redis", "backend")
# Of 100 by default: few enough to be taken within a second.
MAX_CONNECTIONS = 20
FOR = f"{SCRAPE_SECONDS}s"
SOON = {
    alert: {"for": FOR}
    for alert in (
        *("BackendFlapping", "BackendHanging", "FilesystemReadOnly", "PostgreSQLTableLocked"),
        *("PostgreSQLConnectionsExhausted", "RedisCannotSave"),
    )
}
FIRES_SECONDS = 25
# BackendHanging asks for the least of 2 minutes.
HANGS_SECONDS = 160
HANGING_REQUESTS = 16
CRASHES = 3
BACK_SECONDS = 20


@dataclass
class Hanging:
    """Requests to a backend that answers none of them until `end`."""

    stack: Stack
    since: float = field(default_factory=time.monotonic)

    @property
    def _backend(self) -> str:
        return f"http://{self.stack.address('demo-backend')}:8000"

    def inject(self, *, hangs: bool) -> None:
        fault = {"hangs": hangs, "duration_seconds": 2 * HANGS_SECONDS}
        url = f"{self._backend}/demo/fault"
        requests.post(url, json=fault, timeout=TIMEOUT_SECONDS).raise_for_status()

    def ask(self) -> None:
        with contextlib.suppress(requests.RequestException):
            requests.get(f"{self._backend}/api/v1/patients", timeout=2 * HANGS_SECONDS)


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk | str]:
    """A disk to be there before node_exporter, or why there is none."""
    with contextlib.ExitStack() as mounted:
        try:
            found: SmallDisk | str = mounted.enter_context(faults.small_disk())
        except NoDiskError as error:
            found = f"no small disk can be mounted here: {error}"
        yield found


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient, images: dict[str, str], disk: SmallDisk | str
) -> Iterator[Stack]:
    """The demo without its traffic, with a PostgreSQL that has few connections."""
    config = stacks.config(images, demo=True, alerts=SOON)
    gone = frozenset({"grafana", "demo-traffic"})
    with stacks.alone(NAME, docker_client):
        result = local_deploy.up(NAME, config, stacks.say, leave_out=gone)
        found = Stack(NAME, docker_client, config, result)
        with faults.connection(found) as session:
            session.autocommit = True
            session.execute(f"ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}".encode())
        found.container("demo-postgres").restart()
        faults.Requests(found).wait_until_ready()
        limit = f"instance:pg_connections_max:max == {MAX_CONNECTIONS}"
        assert eventually(lambda: found.query(limit), BACK_SECONDS)
        assert eventually(lambda: len(found.query("up == 1")) >= len(JOBS), BACK_SECONDS)
        yield found


@pytest.fixture(scope="module", autouse=True)
def hanging(stack: Stack) -> Iterator[Hanging]:
    """A hang that begins first, since it takes longest to be seen."""
    found = Hanging(stack)
    found.inject(hangs=True)
    with ThreadPoolExecutor(HANGING_REQUESTS) as pool:
        for _ in range(HANGING_REQUESTS):
            pool.submit(found.ask)
        try:
            yield found
        finally:
            found.inject(hangs=False)


def fires(stack: Stack, alert: str, seconds: float = FIRES_SECONDS) -> bool:
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    return bool(eventually(lambda: stack.query(firing), seconds))


def test_read_only_file_system_is_reported(stack: Stack, disk: SmallDisk | str) -> None:
    if isinstance(disk, str):
        pytest.skip(disk)
    seen = f'node_filesystem_readonly{{mountpoint="{disk.mount_point}"}} == 0'
    assert eventually(lambda: stack.query(seen), FIRES_SECONDS), "node_exporter does not see it"
    with disk.read_only(stack):
        assert fires(stack, "FilesystemReadOnly")


def test_redis_that_cannot_write_its_snapshot_is_reported(
    stack: Stack, images: dict[str, str]
) -> None:
    def save() -> None:
        login = ["redis-cli", "--no-auth-warning", "-a", SECRETS["redisPassword"]]
        status, output = stack.container("demo-redis").exec_run([*login, "bgsave"])
        assert status == 0, output

    folder = Folder(stack, images, "demo-redis", "/data")
    assert stack.query("redis_rdb_last_bgsave_status == 1")
    with folder.mode("0555"):
        save()
        assert fires(stack, "RedisCannotSave")
    save()
    assert eventually(lambda: stack.query("redis_rdb_last_bgsave_status == 1"), BACK_SECONDS)


def test_locked_table_is_reported_as_a_lock_and_not_as_a_dead_database(
    stack: Stack, report_figure: ReportFigure
) -> None:
    with faults.connection(stack) as session:
        session.execute("LOCK TABLE patients IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert fires(stack, "PostgreSQLTableLocked")
        since = f"[{time.monotonic() - began + SCRAPE_SECONDS:.0f}s]"
        assert stack.value(f'min_over_time(up{{job="postgres"}}{since})') == 1
        assert stack.value(f"min_over_time(instance:pg_up:min{since})") == 1
        took = stack.value('scrape_duration_seconds{job="postgres"}')
    report_figure(f"a locked table: scrapes of postgres_exporter take {took:.1f} s and succeed")


def test_exhausted_connections_are_reported(stack: Stack) -> None:
    with contextlib.ExitStack() as sessions:
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(2 * MAX_CONNECTIONS):
                sessions.enter_context(faults.connection(stack))
        assert fires(stack, "PostgreSQLConnectionsExhausted")


def test_backend_that_hangs_is_reported(
    stack: Stack, hanging: Hanging, report_figure: ReportFigure
) -> None:
    assert fires(stack, "BackendHanging", HANGS_SECONDS)
    report_figure(f"a backend that hangs: reported after {time.monotonic() - hanging.since:.0f} s")
    assert stack.value('up{job="backend"}') == 1
    hanging.inject(hangs=False)
    assert eventually(lambda: stack.value("sum(http_requests_in_progress)") == 0, BACK_SECONDS)


def test_backend_in_a_crash_loop_is_reported_as_flapping(stack: Stack) -> None:
    backend = stack.container("demo-backend")
    started = "process_start_time_seconds{job='backend'}"
    for _ in range(CRASHES):
        came_back = f"{started} > {stack.value(started)}"
        backend.restart(timeout=0)
        assert eventually(functools.partial(stack.query, came_back), BACK_SECONDS)
    assert fires(stack, "BackendFlapping")


@dataclass(frozen=True)
class Folder:
    """A folder of a container's volume, changed by root from another container."""

    stack: Stack
    images: dict[str, str]
    service: str
    path: str

    @contextlib.contextmanager
    def mode(self, mode: str) -> Iterator[None]:
        """The folder with another mode, as of a disk that went read-only."""
        before = self._run("stat", "-c", "%a", "/changed").strip()
        self._run("chmod", mode, "/changed")
        try:
            yield
        finally:
            self._run("chmod", before, "/changed")

    def _run(self, *command: str) -> str:
        mounts = self.stack.container(self.service).attrs["Mounts"]
        volume = next(mount["Name"] for mount in mounts if mount["Destination"] == self.path)
        output = self.stack.client.containers.run(
            self.images.get("redis-exporter", "busybox"),
            command[1:],
            entrypoint=[command[0]],
            user="0",
            remove=True,
            volumes={volume: {"bind": "/changed"}},
        )
        return output.decode()
