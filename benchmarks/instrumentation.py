"""What it costs a request to be measured: `app.metrics` beside two well-known packages.

    python -m benchmarks.instrumentation [--rounds 60] [--requests 300] [--json]

Each variant is the same FastAPI application with one GET, instrumented as its documentation shows,
and called in process: no socket, no server. A round runs every variant for a batch of requests, in
an order shuffled anew; the figures are medians over all rounds, and a variant's overhead is the
median difference from the uninstrumented application in the same round. What is measured is the
thread's CPU time, so that other work on the machine weighs little. The packages do not do quite the
same: `app.metrics` counts requests in progress too, the instrumentator the sizes of requests and
responses.
"""

import argparse
import asyncio
import gc
import json
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from random import Random
from statistics import median
from time import thread_time_ns
from typing import Any, NamedTuple

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware

from app.metrics import MetricsMiddleware, track_request_metrics

PATH = "/api/v1/patients"
PLAIN = "no instrumentation"
AIM_MICROSECONDS = 10.0

Handler = Callable[..., Any]


def application(track: Callable[[Handler], Handler] | None = None) -> FastAPI:
    """One GET that answers with a short list, its handler passed through `track`."""

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


def _instrumentator() -> FastAPI:
    app = application()
    # A registry of its own: its default metric has the same name as one of app.metrics.
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _starlette_exporter() -> FastAPI:
    app = application()
    app.add_middleware(PrometheusMiddleware)
    return app


VARIANTS: dict[str, Callable[[], FastAPI]] = {
    PLAIN: application,
    "app.metrics, decorator": _decorated,
    "app.metrics, decorator and middleware": _decorated_and_middleware,
    "prometheus-fastapi-instrumentator": _instrumentator,
    "starlette-exporter": _starlette_exporter,
}


class Figure(NamedTuple):
    """Medians of one variant, in microseconds of CPU; `ratio` is to no instrumentation."""

    variant: str
    request_us: float
    overhead_us: float
    ratio: float


async def _batch(app: FastAPI, requests: int) -> float:
    """Microseconds of CPU a request, over one batch; `RuntimeError` if an answer is no 200."""
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


async def measure(rounds: int, requests: int, seed: int = 0) -> list[Figure]:
    """The figures of all variants, from `rounds` interleaved batches of `requests` each."""
    rng = Random(seed)
    apps = {name: build() for name, build in VARIANTS.items()}
    times: dict[str, list[float]] = {name: [] for name in apps}
    for app in apps.values():
        await _batch(app, requests)
    for _ in range(rounds):
        for name in rng.sample(list(apps), len(apps)):
            gc.collect()
            times[name].append(await _batch(apps[name], requests))
    plain = times[PLAIN]
    return [
        Figure(
            name,
            median(took),
            median(mine - base for mine, base in zip(took, plain, strict=True)),
            median(mine / base for mine, base in zip(took, plain, strict=True)),
        )
        for name, took in times.items()
    ]


def _table(figures: Sequence[Figure]) -> str:
    lines = [f"{'':40}{'µs a request':>14}{'overhead µs':>14}{'ratio':>8}"]
    lines += [
        f"{figure.variant:40}{figure.request_us:14.1f}{figure.overhead_us:14.1f}{figure.ratio:8.2f}"
        for figure in figures
    ]
    for figure in figures:
        if figure.variant.startswith("app.metrics"):
            verdict = "met" if figure.overhead_us <= AIM_MICROSECONDS else "missed"
            lines.append(f"aim of {AIM_MICROSECONDS:.0f} µs {verdict}: {figure.variant}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instrumentation")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=300, help="in each batch")
    parser.add_argument("--json", action="store_true", help="figures and circumstances as JSON")
    options = parser.parse_args(arguments)
    figures = asyncio.run(measure(options.rounds, options.requests))
    packages = ("fastapi", "prometheus-fastapi-instrumentator", "starlette-exporter")
    circumstances = {
        "python": platform.python_version(),
        "rounds": options.rounds,
        "requests_in_a_batch": options.requests,
        **{package: version(package) for package in packages},
    }
    if options.json:
        found = [figure._asdict() for figure in figures]
        print(json.dumps({"circumstances": circumstances, "figures": found}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in circumstances.items()))
        print(_table(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
