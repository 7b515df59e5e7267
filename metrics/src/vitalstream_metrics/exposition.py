"""The page that Prometheus scrapes: this process's metrics, or those of all workers together."""

import asyncio
import gzip
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from vitalstream_metrics import processes, workers
from vitalstream_metrics.asgi import Receive, Scope, Send
from vitalstream_metrics.headcounts import WARD_SUFFIX
from vitalstream_metrics.reaping import living_files
from vitalstream_metrics.registry import REGISTRY, AllMetrics, own_labels, warn_of_namesake
from vitalstream_metrics.routes import UNCOUNTED_ATTRIBUTE


class Configuration(Collector):
    """Metric that says whether a scrape shows only one worker of several."""

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        family.add_metric([], float(workers.is_misconfigured()))
        return [family]

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "metrics_multiprocess_misconfigured",
            "1 if several workers serve and PROMETHEUS_MULTIPROC_DIR is not set.",
        )


_CONFIGURATION = Configuration()
REGISTRY.register(_CONFIGURATION)


class WorkersMetrics(Collector):
    """The metrics of all workers, living and ended, from the folder that they share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        with workers.locked(self._folder):
            state = workers.State(self._folder)
            state.meet(os.getpid(), serves=True)
            files = living_files(self._folder, state)
            merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
            families = {family.name: family for family in merged}
            of_processes = list(_process_metrics(state))
            state.save()
        for name in [name for name in families if name.endswith(WARD_SUFFIX)]:
            # No samples: never set. The latest of the workers' is the whole ward's.
            if of_ward := families.pop(name).samples:
                own = name.removesuffix(WARD_SUFFIX)
                families[own].samples = [sample._replace(name=own) for sample in of_ward]
        labels = own_labels()
        for name, family in families.items():
            if name in labels:
                _drop_namesakes(family, labels[name])
            yield family
        yield from of_processes
        yield from _CONFIGURATION.collect()


def _drop_namesakes(family: Metric, labels: frozenset[str]) -> None:
    ours = [s for s in family.samples if s.labels.keys() - {"le", "pid"} == labels]
    if len(ours) < len(family.samples):
        warn_of_namesake(family.name, "theirs is left out of this page")
        family.samples = ours


def _process_metrics(state: workers.State) -> Iterator[Metric]:
    """Sum up what the living workers use; the oldest one's start is the service's."""
    if not processes.HAS_PROC:
        return
    found = {pid: usage for pid in state.workers() if (usage := processes.usage(pid))}
    if not found:
        return
    for pid, usage in found.items():
        ticks, _, serves = state.seen[pid]
        state.seen[pid] = ticks, usage.cpu_seconds, serves
    yield GaugeMetricFamily(
        "process_start_time_seconds",
        "Start time of the oldest living worker since the Unix epoch in seconds.",
        min(processes.start_time(state.seen[pid][0]) for pid in found),
    )
    yield CounterMetricFamily(
        "process_cpu_seconds",
        "User and system CPU time of all workers in seconds, ended ones included.",
        state.ended_cpu_seconds + sum(usage.cpu_seconds for usage in found.values()),
    )
    for name, documentation, values in (
        ("resident_memory_bytes", "Resident memory", [u.resident_bytes for u in found.values()]),
        ("virtual_memory_bytes", "Virtual memory", [u.virtual_bytes for u in found.values()]),
        ("open_fds", "Open file descriptors", [u.open_fds for u in found.values()]),
        ("max_fds", "Allowed file descriptors", [u.max_fds for u in found.values()]),
    ):
        yield GaugeMetricFamily(
            f"process_{name}", f"{documentation} of all living workers.", sum(values)
        )
    yield GaugeMetricFamily("metrics_workers", "Workers that are alive.", len(found))


class _Selection(Collector):
    """Return the metrics that `?name[]=` selects."""

    def __init__(self, collector: Collector, names: Iterable[str]) -> None:
        self._collector = collector
        self._names = frozenset(names)

    def collect(self) -> Iterator[Metric]:
        for family in self._collector.collect():
            if self._names:
                family.samples = [s for s in family.samples if s.name in self._names]
            if family.samples or not self._names:
                yield family


class MetricsApp:
    """ASGI application that answers a scrape: all metrics of this process, or of all workers.

    An object and not a function, so that Starlette and FastAPI take it as it is:
    `app.routes.append(Route("/metrics", metrics_app))`. (`app.mount` works too, at the price of a
    redirect to `/metrics/` in every scrape.) Answers in Prometheus's text format or OpenMetrics, as
    asked. The work is done in a thread: the event loop goes on serving.
    """

    __name__ = "metrics"

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vitalstream-metrics")
        setattr(self, UNCOUNTED_ATTRIBUTE, True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else known + b"," + value
        names = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("name[]", [])
        accept = headers.get(b"accept", b"").decode("latin-1")
        takes_gzip = b"gzip" in headers.get(b"accept-encoding", b"")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # hypercorn can run on trio
            content_type, body = render(accept, names, takes_gzip)
        else:
            content_type, body = await loop.run_in_executor(
                self._thread, render, accept, names, takes_gzip
            )
        answer = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        if takes_gzip:
            answer.append((b"content-encoding", b"gzip"))
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        await send({"type": "http.response.body", "body": body})


def render(accept: str, names: Iterable[str], compress: bool) -> tuple[bytes, bytes]:
    """Return content type and body of a scrape, as its `Accept` header asks."""
    folder = workers.directory() if workers.is_shared() else None
    collector: Collector = AllMetrics() if folder is None else WorkersMetrics(folder)
    encode, content_type = choose_encoder(accept)
    body = encode(_registry_of(_Selection(collector, names)))
    return content_type.encode(), gzip.compress(body, 5) if compress else body


def _registry_of(collector: Collector) -> Any:
    # An encoder only collects.
    return collector


metrics_app = MetricsApp()
"""ASGI application that Prometheus scrapes: see `MetricsApp`."""
