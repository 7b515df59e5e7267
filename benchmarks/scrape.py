"""Scrape of several workers: what it costs the event loop of the worker that answers.

    python -m benchmarks.scrape

Makes the files of `WORKERS` processes with `SERIES` label sets each, half counters, half gauges,
beside the library's own metrics. Then an event loop serves a scrape by the library and one by
prometheus-client's own application, alternately. Two figures each: the CPU time of the loop's
thread, and the longest time that the loop did not run, measured by a task that wakes up every
millisecond. The second one is wall time: other work on the machine lengthens it.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from ops.root import ROOT

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
AIM_MILLISECONDS = 20.0
WORKERS, SERIES, ROUNDS = 8, 1000, 20

WORKER = """
import sys
from prometheus_client import Counter, Gauge
import app.metrics
from vitalstream_metrics.workers import announce_worker
counter = Counter("bench_counted_total", "Counted.", ["number"])
gauge = Gauge("bench_set", "Set.", ["number"], multiprocess_mode="livesum")
for number in range(int(sys.argv[1]) // 2):
    counter.labels(str(number)).inc()
    gauge.labels(str(number)).set(number)
announce_worker()
print("ready", flush=True)
sys.stdin.read()
"""

App = Callable[..., Awaitable[None]]


async def _scrape(app: App) -> int:
    size = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal size
        size += len(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return size


async def _longest_pause(app: App) -> tuple[float, float]:
    """Milliseconds of the loop's thread, and the longest it did not run, during one scrape."""
    longest = 0.0
    done = False

    async def watch() -> None:
        nonlocal longest
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.02)
    longest, started = 0.0, time.thread_time()
    await _scrape(app)
    took = time.thread_time() - started
    done = True
    await watching
    return took * 1000, longest * 1000


async def _measure() -> None:
    from prometheus_client import CollectorRegistry, make_asgi_app  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    from app.metrics import metrics_app  # noqa: PLC0415 - the folder has to be set before

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    apps: dict[str, App] = {"app.metrics": metrics_app, "on the loop": make_asgi_app(registry)}
    print({name: await _scrape(app) for name, app in apps.items()}, "bytes")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in apps}
    for _ in range(ROUNDS):
        for name, app in apps.items():
            found[name].append(await _longest_pause(app))
    for name, pairs in found.items():
        cpu, pause = (median(values) for values in zip(*pairs, strict=True))
        print(f"{name:14} CPU of the loop {cpu:7.1f} ms, longest pause {pause:7.1f} ms (medians)")
    cpu = median(pair[0] for pair in found["app.metrics"])
    verdict = "met" if cpu <= AIM_MILLISECONDS else "missed"
    print(f"aim of {AIM_MILLISECONDS:.0f} ms {verdict}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        command = [sys.executable, "-c", WORKER, str(SERIES)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        workers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(WORKERS)]
        try:
            for worker in workers:
                assert worker.stdout
                worker.stdout.readline()
            asyncio.run(_measure())
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


if __name__ == "__main__":
    main()
