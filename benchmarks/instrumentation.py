"""Overhead of request metrics: `app.metrics` beside two well-known packages.

Each variant is the same FastAPI application with one GET, instrumented as its documentation shows,
and called in process: no socket, no server. Each round runs every variant for a batch of requests,
in an order shuffled per round; the overhead is the median difference from the application without
instrumentation in the same round. The thread's CPU time is measured, so that other load on the
machine matters little. The packages differ in features: `app.metrics` counts requests in progress
too, the instrumentator the sizes of requests and responses.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from random import Random
from statistics import median
from time import thread_time_ns
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware

from app.metrics import MetricsMiddleware, track_request_metrics
from benchmarks.figures import Figure, Report

PATH = "/api/v1/patients"
PLAIN = "no instrumentation"
ROUNDS, REQUESTS = 60, 300
TARGETS_MICROSECONDS = {
    "app.metrics, decorator": 7.0,
    "app.metrics, middleware": 10.0,
    "app.metrics, decorator and middleware": 10.0,
}

Handler = Callable[..., Any]


def application(track: Callable[[Handler], Handler] | None = None) -> FastAPI:
    """Return an application with one GET, its handler wrapped by `track`."""

    async def get_patients(limit: int = 3) -> list[dict[str, int]]:
        return [{"id": number} for number in range(limit)]

    app = FastAPI()
    app.get(PATH)(track(get_patients) if track else get_patients)
    return app


def _decorated() -> FastAPI:
    return application(track_request_metrics(PATH))


def _decorated_and_middleware() -> FastAPI:
    app = application(track_request_metrics(PATH))
    app.add_middleware(MetricsMiddleware)
    return app


def _middleware() -> FastAPI:
    app = application()
    app.add_middleware(MetricsMiddleware)
    return app


def _instrumentator() -> FastAPI:
    app = application()
    # Separate registry: its default metric has the same name as one of app.metrics.
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _starlette_exporter() -> FastAPI:
    app = application()
    app.add_middleware(PrometheusMiddleware)
    return app


VARIANTS: dict[str, Callable[[], FastAPI]] = {
    PLAIN: application,
    "app.metrics, decorator": _decorated,
    "app.metrics, middleware": _middleware,
    "app.metrics, decorator and middleware": _decorated_and_middleware,
    "prometheus-fastapi-instrumentator": _instrumentator,
    "starlette-exporter": _starlette_exporter,
}


async def _batch(app: FastAPI, requests: int) -> float:
    """Return microseconds of CPU per request; RuntimeError for a status other than 200."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    started = thread_time_ns()
    for _ in range(requests):
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"limit=3",
            "root_path": "",
            "headers": [(b"host", b"backend:8000"), (b"accept", b"*/*")],
            "client": ("127.0.0.1", 40000),
            "server": ("backend", 8000),
        }
        await app(scope, receive, send)
    elapsed = thread_time_ns() - started
    if statuses != [200] * requests:
        raise RuntimeError(f"answers other than 200: {sorted(set(statuses) - {200})}")
    return elapsed / requests / 1000


async def overheads(rounds: int, requests: int, seed: int = 0) -> dict[str, float]:
    """Return the added CPU time per request by variant, in microseconds.

    Medians over `rounds` interleaved batches of `requests` each.
    """
    rng = Random(seed)
    apps = {name: build() for name, build in VARIANTS.items()}
    times: dict[str, list[float]] = {name: [] for name in apps}
    for app in apps.values():
        await _batch(app, requests)
    for _ in range(rounds):
        for name in rng.sample(list(apps), len(apps)):
            gc.collect()
            times[name].append(await _batch(apps[name], requests))
    plain = times.pop(PLAIN)
    return {
        name: median(mine - base for mine, base in zip(took, plain, strict=True))
        for name, took in times.items()
    }


def measure(report: Report) -> None:
    """Add one figure per variant to the report."""
    for variant, overhead in asyncio.run(overheads(ROUNDS, REQUESTS)).items():
        target = TARGETS_MICROSECONDS.get(variant)
        name = f"a request more with {variant}"
        report.figures.append(Figure(name, (overhead,), "µs", target))
