"""The process that serves the load test's pages."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from benchmarks.load_pages import Page
from benchmarks.projects import BenchmarkError

START_SECONDS = 30


@dataclass(frozen=True)
class Exporter:
    """Where the pages are, as host:port, and the probe's value, which `set` changes at once."""

    targets: tuple[str, ...]
    probe: Any

    def set(self, value: int) -> float:
        """Unix time at which every page has it."""
        self.probe.value = value
        return time.time()


@contextlib.contextmanager
def exporter(
    address: str, pages: Sequence[int], churn: float, most_seconds: float
) -> Iterator[Exporter]:
    """A process of its own that serves a page a target, of so many series each, at `address`.

    It ends with the block, with its parent, or after `most_seconds`. Raises BenchmarkError.
    """
    context = multiprocessing.get_context("spawn")
    probe = context.Value("i", 0)
    mine, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(address, tuple(pages), churn, most_seconds, probe, theirs), daemon=True
    )
    process.start()
    theirs.close()
    try:
        try:
            ports = mine.recv() if mine.poll(START_SECONDS) else None
        except EOFError:
            ports = None
        if ports is None:
            raise BenchmarkError(f"the exporter did not start at {address}")
        yield Exporter(tuple(f"{address}:{port}" for port in ports), probe)
    finally:
        mine.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(
    address: str,
    pages: tuple[int, ...],
    churn: float,
    most_seconds: float,
    probe: Any,
    parent: Connection,
) -> None:
    servers = [
        _server(address, Page(target, series, churn, Random(target)), probe)
        for target, series in enumerate(pages)
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    parent.send([server.server_port for server in servers])
    # Readable once the other end is closed, by a parent that was killed too.
    parent.poll(most_seconds)


def _server(address: str, page: Page, probe: Any) -> ThreadingHTTPServer:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                body = page.text(probe.value)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return ThreadingHTTPServer((address, 0), Handler)
