"""The wheel in an empty environment, in a backend with its own package `app`, under real servers.

Two workers each, which are killed and recycled. What each server cannot do is written beside it.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import websockets

from tests.metrics.servers import SERVERS, WORKERS, Server, build_wheel, install, running

pytestmark = pytest.mark.timeout(300)

PATIENTS = "http_requests_total endpoint=/patients/{patient_id} method=GET status=200"
SLOW = "http_requests_in_progress endpoint=/slow method=GET"
# A killed worker ends all of hypercorn, with its exit code: what runs it has to start it anew.
RESPAWNING = [name for name in SERVERS if name != "hypercorn"]
# Granian recycles by time (at least 60 s) and memory alone: its workers are killed instead.
RECYCLING = {
    "uvicorn": "--limit-max-requests=8",
    "gunicorn": "--max-requests=8",
    "gunicorn --preload": "--max-requests=8",
    "hypercorn": "--max-requests=8",
}
# Hypercorn reports a close by the client as 1006, whatever its code.
NORMAL_CLOSE = {"hypercorn": "1006"}
# Granian does not report a client that left to an application that does not call receive().
STATUS_OF_LOST = {"granian": "200"}


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    return install(folder / "venv", build_wheel(folder))


@pytest.fixture(params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def server(bin_folder: Path, name: str, tmp_path: Path) -> Iterator[Server]:
    with running(bin_folder, SERVERS[name], tmp_path) as found:
        yield found


def kill_worker(server: Server) -> None:
    """Kill a worker while it handles requests."""
    victim = server.pid()
    with ThreadPoolExecutor(6) as threads:
        for _ in range(6):
            threads.submit(_ignore_errors, server)
        server.wait(lambda: server.figures()[SLOW] == 6)
        os.kill(victim, signal.SIGKILL)


def _ignore_errors(server: Server) -> None:
    with suppress(httpx.HTTPError):
        server.get("/slow?seconds=8", 12)


def test_server_with_two_workers_counts_every_kind_of_request(name: str, server: Server) -> None:
    for number in range(20):
        server.get(f"/patients/{number}")
    server.get("/wrong/prefix")
    with suppress(httpx.ReadTimeout):
        server.get("/slow?seconds=1.5", timeout=0.5)
    with httpx.stream("GET", server.url + "/events") as events:
        lines = events.iter_lines()  # kept: its end would close the connection
        next(lines)
        # The scrape may be another worker's than the one that streams.
        assert server.figures()["http_streams_active endpoint=/events"] == 1
    with suppress(httpx.RemoteProtocolError):
        server.get("/events?broken=1")
    asyncio.run(_talk(server.url.replace("http", "ws") + "/ws"))
    lost = f"http_requests_total endpoint=/slow method=GET status={STATUS_OF_LOST.get(name, 499)}"
    code = f"websocket_closed_total code={NORMAL_CLOSE.get(name, '1000')}"
    server.wait(lambda: server.figures().get(lost) == 1 and server.figures()[code] == 1)
    events_ended = "http_requests_total endpoint=/events method=GET status="
    server.wait(lambda: server.figures().get(events_ended + "499") == 1)

    figures = server.figures()
    # One more was asked to find out whether the server answers.
    assert (
        figures[PATIENTS]
        == figures["anomalies_detected_total anomaly_type=bradycardia severity=high"]
    )
    assert figures[PATIENTS] >= 21
    assert figures["http_requests_total endpoint=(unmatched) method=GET status=404"] == 1
    assert figures["http_requests_total endpoint=/patients/{patient_id} method=GET status=502"] == 0
    assert figures[events_ended + "500"] == 1
    assert figures["http_stream_failures_total endpoint=/events"] == 1
    assert figures["http_streams_active endpoint=/events"] == 0
    assert figures["websocket_messages_total direction=received"] == 3
    assert figures["websocket_messages_total direction=sent"] == 3
    assert figures["websocket_connections_active"] == 0
    assert not [key for key in figures if "endpoint=/ws" in key]
    assert figures["db_connections_max"] == 20
    assert figures["active_patients_total"] == 8
    assert figures["metrics_multiprocess_misconfigured"] == 0
    assert 0 < time.time() - figures["process_start_time_seconds"] < 120
    assert 0 < figures["process_cpu_seconds_total"] < 60
    assert figures["process_resident_memory_bytes"] > WORKERS * 20e6


async def _talk(url: str) -> None:
    async with websockets.connect(url) as client:
        for _ in range(3):
            await client.send("x")
            await client.recv()


@pytest.mark.parametrize("name", RESPAWNING, indirect=True)
def test_server_whose_worker_is_killed_keeps_counts_and_drops_its_gauges(server: Server) -> None:
    for number in range(20):
        server.get(f"/patients/{number}")
    before = server.figures()
    kill_worker(server)
    server.wait(lambda: server.figures()["metrics_workers"] == WORKERS)
    server.wait(lambda: server.figures()[SLOW] == 0)
    after = server.figures()
    assert after[PATIENTS] >= before[PATIENTS]
    assert (after["db_connections_max"], after["active_patients_total"]) == (20, 8)
    assert after["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"]


@pytest.mark.parametrize("name", ["hypercorn"], indirect=True)
def test_server_that_ends_with_its_worker_is_right_when_started_anew(
    bin_folder: Path, name: str, server: Server, tmp_path: Path
) -> None:
    before = server.figures()
    kill_worker(server)
    server.process.wait(30)
    folder = tmp_path / "anew"
    folder.mkdir()
    with running(bin_folder, SERVERS[name], folder, shared=tmp_path / "metrics") as anew:
        after = anew.figures()
        assert after[PATIENTS] > before[PATIENTS]
        assert (after["db_connections_max"], after[SLOW]) == (20, 0)


@pytest.mark.parametrize("name", RECYCLING)
def test_server_that_recycles_its_workers_is_right(
    bin_folder: Path, name: str, tmp_path: Path
) -> None:
    with running(bin_folder, (*SERVERS[name], RECYCLING[name]), tmp_path) as server:
        first = server.pid()
        answered, pids = 1.0, {first}
        end = time.monotonic() + 60
        while len(pids) < 5 and time.monotonic() < end:
            with suppress(httpx.TransportError):
                pids.add(server.pid())
                answered += 1
        assert len(pids) >= 5, server.log.read_text()
        # A scrape is a request too, and may end a worker.
        server.wait(lambda: server.figures()["metrics_workers"] == WORKERS)
        server.wait(lambda: server.figures()["db_connections_max"] == 20)
        assert server.figures()[PATIENTS] >= answered
        files = len(list((tmp_path / "metrics").glob("counter_*.db")))
        assert files <= 2 * WORKERS + 2


def test_server_without_the_folder_warns_and_says_so(
    bin_folder: Path, name: str, tmp_path: Path
) -> None:
    with running(bin_folder, SERVERS[name], tmp_path, shared=None) as server:
        server.wait(lambda: server.figures()["metrics_multiprocess_misconfigured"] == 1)
        server.wait(lambda: "PROMETHEUS_MULTIPROC_DIR is not set" in server.log.read_text())


def test_server_with_one_worker_needs_no_folder(bin_folder: Path, tmp_path: Path) -> None:
    command = ("uvicorn", "app.main:app", "--port={port}")
    with running(bin_folder, command, tmp_path, shared=None) as server:
        assert server.figures()["metrics_multiprocess_misconfigured"] == 0


def test_wheel_needs_prometheus_client_alone(bin_folder: Path) -> None:
    code = (
        "import vitalstream_metrics, sys; from importlib.metadata import requires;"
        "print(requires('vitalstream-metrics'), {'fastapi', 'starlette'} & set(sys.modules))"
    )
    done = subprocess.run(
        [str(bin_folder / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['prometheus-client>=0.20'] set()\n"
