"""Several workers of one service: the dead are reaped, the living add up."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vitalstream_metrics import processes
from vitalstream_metrics.workers import STATE_FILE

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": "metrics/src"}
Figures = dict[str, float]

WORKER = """
    import sys, time
    from app.metrics import *
    from vitalstream_metrics.workers import announce_worker
    import app.metrics as m

    @track_request_metrics("/x")
    def handler(): time.sleep(float(sys.argv[1]))

    announce_worker()
    m.set_db_connections(3, 10)
    record_vital_sign()
"""
HANDLE = "\nfor _ in range(3): handler()\n"
WAIT = "\nprint('ready', flush=True); sys.stdin.read()\n"
SCRAPE = """
    from vitalstream_metrics.exposition import render
    print(render("", [], False)[1].decode())
"""


class Workers:
    """Workers of one folder, as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a worker; return when it says that it is ready."""
        worker = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            cwd=ROOT,
            env={**ENVIRONMENT, "PROMETHEUS_MULTIPROC_DIR": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(worker)
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
        return worker

    def kill(self, worker: subprocess.Popen[str]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def run(self, code: str, *arguments: str) -> str:
        """Run a worker to its end; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            cwd=ROOT,
            env={**ENVIRONMENT, "PROMETHEUS_MULTIPROC_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def scrape(self) -> Figures:
        """Return a scrape; the scraping process counts as a worker while it runs."""
        return parse(self.run(SCRAPE))


def parse(text: str) -> Figures:
    return {
        sample.name
        + ("" if not sample.labels else json.dumps(sample.labels, sort_keys=True)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(figures: Figures, name: str, **labels: str) -> float:
    return figures[name + json.dumps(labels, sort_keys=True)]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path)
    yield found
    for worker in found.running:
        found.kill(worker)


def handled(figures: Figures) -> float:
    return of(figures, "http_requests_total", endpoint="/x", method="GET", status="200")


def in_progress(figures: Figures) -> float:
    return of(figures, "http_requests_in_progress", endpoint="/x", method="GET")


def test_workers_that_are_killed_leave_their_counts_and_no_gauges(workers: Workers) -> None:
    code = textwrap.dedent(WORKER) + HANDLE + WAIT
    busy = textwrap.dedent(WORKER) + "\nprint('ready', flush=True); handler()\n"
    first, _, third = workers.start(code, "0"), workers.start(code, "0"), workers.start(busy, "60")
    time.sleep(0.5)
    before = workers.scrape()
    assert (handled(before), in_progress(before), before["db_connections_max"]) == (6, 1, 30)
    workers.kill(first)
    workers.kill(third)
    after = workers.scrape()
    assert (handled(after), in_progress(after), after["db_connections_max"]) == (6, 0, 10)
    assert after["last_vital_sign_timestamp_seconds"] > time.time() - 60


def test_workers_that_are_recycled_leave_no_files_behind(workers: Workers) -> None:
    living = workers.start(textwrap.dedent(WORKER) + WAIT, "0")
    for _ in range(5):
        workers.run(textwrap.dedent(WORKER) + HANDLE, "0")
    assert handled(workers.scrape()) == 15
    workers.run(textwrap.dedent(WORKER) + HANDLE, "0")
    figures = workers.scrape()
    assert (handled(figures), figures["db_connections_max"]) == (18, 10)
    labels = {"endpoint": "/x", "method": "GET"}
    assert of(figures, "http_request_duration_seconds_count", **labels) == 18
    assert of(figures, "http_request_duration_seconds_bucket", le="+Inf", **labels) == 18
    pids = {path.stem.rsplit("_", 1)[1] for path in workers.folder.glob("*.db")}
    # The last scrape's own files are there until the next one.
    assert len(pids) == 3
    assert {"0", str(living.pid)} < pids


def test_workers_start_is_the_oldest_living_ones(workers: Workers) -> None:
    code = textwrap.dedent(WORKER) + WAIT
    oldest = workers.start(code, "0")
    time.sleep(1.5)
    second = workers.start(code, "0")
    started = {
        worker.pid: processes.start_time(processes.start_ticks(worker.pid) or 0)
        for worker in (oldest, second)
    }
    assert workers.scrape()["process_start_time_seconds"] == started[oldest.pid]
    workers.kill(oldest)
    assert workers.scrape()["process_start_time_seconds"] == started[second.pid]


def test_workers_cpu_never_falls_and_their_memory_adds_up(workers: Workers) -> None:
    burn = "\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
    code = textwrap.dedent(WORKER) + burn + WAIT
    first, second = workers.start(code, "0"), workers.start(code, "0")
    before = workers.scrape()
    usages = [processes.usage(worker.pid) for worker in (first, second)]
    assert before["process_resident_memory_bytes"] > sum(u.resident_bytes for u in usages if u)
    assert before["process_open_fds"] > sum(u.open_fds for u in usages if u)
    assert before["metrics_workers"] == 3  # the process that scrapes is one
    assert before["process_cpu_seconds_total"] >= 1
    workers.kill(first)
    workers.kill(second)
    after = workers.scrape()
    assert after["metrics_workers"] == 1
    assert after["process_cpu_seconds_total"] >= before["process_cpu_seconds_total"]
    assert after["process_resident_memory_bytes"] < before["process_resident_memory_bytes"] / 2


FORK = """
    import os, sys, time
    from app.metrics import *
    from vitalstream_metrics.workers import announce_worker
    time.sleep(1.5)
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            announce_worker()
            update_active_patients(4, scope=sys.argv[1])
            record_anomaly("asystole", "high")
            time.sleep(60)
        children.append(pid)
    print('ready', flush=True)
    sys.stdin.read()
    for pid in children: os.kill(pid, 9)
"""


@pytest.mark.parametrize(("scope", "patients"), [("worker", 8), ("ward", 4)])
def test_workers_of_a_preloaded_application_are_its_children_alone(
    workers: Workers, scope: str, patients: int
) -> None:
    master = workers.start(FORK, scope)
    time.sleep(1)
    figures = workers.scrape()
    assert figures["metrics_workers"] == 3  # two children, and the process that scrapes
    master_began = processes.start_time(processes.start_ticks(master.pid) or 0)
    assert figures["process_start_time_seconds"] >= master_began + 1
    assert figures["active_patients_total"] == patients
    whole = of(figures, "metrics_counts_whole_ward", metric="active_patients_total")
    assert whole == (scope == "ward")
    labels = {"anomaly_type": "asystole", "severity": "high"}
    assert of(figures, "anomalies_detected_total", **labels) == 2
    assert master.stdin
    master.stdin.close()
    master.wait()


def test_worker_whose_process_id_is_used_again_is_taken_for_dead(workers: Workers) -> None:
    living = workers.start(textwrap.dedent(WORKER) + WAIT, "0")
    path = workers.folder / STATE_FILE
    state = json.loads(path.read_text())
    ticks, _, serves = state["seen"][str(living.pid)]
    # Another process had this id before, and had used 100 s.
    state["seen"][str(living.pid)] = [ticks - 5, 100.0, serves]
    path.write_text(json.dumps(state))
    figures = workers.scrape()
    assert 100 <= figures["process_cpu_seconds_total"] < 110
    assert figures["db_connections_max"] == 10


def test_worker_that_gets_a_dead_ones_process_id_forgets_its_gauges(tmp_path: Path) -> None:
    code = """
        import os, sys, pathlib, shutil
        folder = pathlib.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        # What a process of this id left an hour ago.
        [left] = folder.glob("gauge_livesum_*.db")
        os.utime(left, (0, 0))
        left.rename(folder / f"gauge_livesum_{os.getpid()}.db")
        from vitalstream_metrics.exposition import render
        print(render("", [], False)[1].decode())
    """
    workers = Workers(tmp_path)
    workers.run(textwrap.dedent(WORKER) + HANDLE, "0")
    assert parse(workers.run(code))["db_connections_max"] == 0


@pytest.mark.parametrize("name", ["", "/no/such/folder", "/etc/passwd"])
def test_worker_whose_folder_cannot_be_used_says_so_at_import(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import app.metrics"],
        cwd=ROOT,
        env={**ENVIRONMENT, "PROMETHEUS_MULTIPROC_DIR": name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "DirectoryError: PROMETHEUS_MULTIPROC_DIR" in done.stderr
    assert "fix: create the folder before the server starts" in done.stderr


def test_folder_that_is_set_too_late_is_reported(tmp_path: Path) -> None:
    code = f"""
        import os
        import prometheus_client
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = {str(tmp_path)!r}
        from vitalstream_metrics.exposition import render
        print(render("", [], False)[1].decode())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "metrics_multiprocess_misconfigured 1.0" in done.stdout
    assert "was set after prometheus_client was imported" in done.stderr
