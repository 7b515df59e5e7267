"""`ops size` beside a real Prometheus that holds as many series, for some seconds."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest
import requests
import yaml
from docker.types import Mount
from prometheus_client.parser import text_string_to_metric_families

from components.preflight.conflicts import STACK_LABEL
from ops.size import measured
from ops.size.demand import MEBIBYTE, Demand, Load
from tests.live import stack as stacks

STACK = "live-size"
INTERVAL, WATCHED_SECONDS = 2, 20
# Of a Prometheus that has run for seconds. What it takes without any series is most of it here, and
# differs between versions.
MEMORY_TOLERANCE = 0.4
SAMPLES_TOLERANCE = 0.15


@dataclass(frozen=True)
class Run:
    """Figures of a Prometheus that scraped `series` series; bytes, and samples per second."""

    series: int
    head: int
    samples_a_second: float
    resident: float
    sample_bytes: float
    wal_sample_bytes: float


class Page(ThreadingHTTPServer):
    """Start a target with this many counters; a third of them rise between two scrapes."""

    def __init__(self, address: str, series: int) -> None:
        self.series, self.scrapes = series, 0
        super().__init__((address, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        self.server.scrapes += 1
        lines = (
            f'http_requests_total{{ward="{n // 100}",route="/api/v1/patients/{n % 100}"}} '
            f"{self.server.scrapes * n if n % 3 == 0 else n}\n"
            for n in range(self.server.series)
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("".join(lines).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module", params=[1_000, 5_000])
def run(
    request: pytest.FixtureRequest, docker_client: docker.DockerClient, images: dict[str, str]
) -> Iterator[Run]:
    if reason := stacks.not_of_this_machine(docker_client):
        pytest.skip(f"Prometheus cannot reach this machine's page: {reason}")
    with stacks.alone(STACK, docker_client), tempfile.TemporaryDirectory() as folder:
        labels = {STACK_LABEL: STACK}
        network = docker_client.networks.create(STACK, labels=labels)
        network.reload()
        page = Page(network.attrs["IPAM"]["Config"][0]["Gateway"], request.param)
        threading.Thread(target=page.serve_forever, daemon=True).start()
        target = f"{page.server_address[0]!s}:{page.server_address[1]}"
        config = {
            "global": {"scrape_interval": f"{INTERVAL}s"},
            "scrape_configs": [{"job_name": "load", "static_configs": [{"targets": [target]}]}],
        }
        (Path(folder) / "prometheus.yml").write_text(yaml.safe_dump(config))
        container = docker_client.containers.run(
            images["prometheus"],
            command=[
                "--config.file=/load/prometheus.yml",
                "--storage.tsdb.path=/load/data",
                "--web.enable-admin-api",
            ],
            user=f"{os.geteuid()}:{os.geteuid()}",
            mounts=[Mount("/load", folder, type="bind")],
            network=STACK,
            labels=labels,
            detach=True,
        )
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"][STACK]["IPAddress"]
        try:
            yield _watched(f"http://{address}:9090", Path(folder), page)
        finally:
            page.shutdown()
            page.server_close()


def _watched(url: str, folder: Path, page: Page) -> Run:
    assert stacks.eventually(lambda: page.scrapes > 1, 60), "Prometheus does not scrape"
    before, began = _own(url), time.monotonic()
    time.sleep(WATCHED_SECONDS)
    after, seconds = _own(url), time.monotonic() - began
    appended = "prometheus_tsdb_head_samples_appended_total"
    name = requests.post(f"{url}/api/v1/admin/tsdb/snapshot", timeout=60).json()["data"]["name"]
    files = {path: path.stat().st_size for path in (folder / "data").rglob("*")}
    block = {path: size for path, size in files.items() if name in path.parts}
    (meta,) = (path for path in block if path.name == "meta.json")
    samples = json.loads(meta.read_text())["stats"]["numSamples"]
    return Run(
        series=page.series,
        head=int(after["prometheus_tsdb_head_series"]),
        samples_a_second=(after[appended] - before[appended]) / seconds,
        resident=after["process_resident_memory_bytes"],
        sample_bytes=sum(size for path, size in block.items() if "chunks" in path.parts) / samples,
        wal_sample_bytes=sum(
            size for path, size in files.items() if path.parent == folder / "data" / "wal"
        )
        / samples,
    )


def _own(url: str) -> dict[str, float]:
    """Return Prometheus' own metrics by name, summed over their labels."""
    found: dict[str, float] = {}
    text = requests.get(f"{url}/metrics", timeout=30).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


@pytest.fixture
def demand(run: Run) -> Demand:
    return Demand(Load(run.head, INTERVAL, retention=7 * 86_400))


def test_head_series_match_the_scraped_series(run: Run) -> None:
    assert run.series <= run.head < run.series + 100


def test_samples_a_second_match_the_estimate(run: Run, demand: Demand) -> None:
    assert run.samples_a_second == pytest.approx(demand.samples_a_second, rel=SAMPLES_TOLERANCE)


def test_memory_matches_the_estimate(run: Run, demand: Demand) -> None:
    assert run.resident == pytest.approx(demand.resident_bytes, rel=MEMORY_TOLERANCE)


def test_memory_stays_below_the_estimated_limit(run: Run, demand: Demand) -> None:
    assert run.resident < demand.memory_mebibytes * MEBIBYTE


def test_sample_bytes_match_the_estimate(run: Run) -> None:
    # Chunks of few samples take more per sample than full ones of 120.
    assert measured.SAMPLE_BYTES / 2 < run.sample_bytes < 2 * measured.SAMPLE_BYTES


def test_wal_bytes_match_the_estimate(run: Run) -> None:
    assert run.wal_sample_bytes == pytest.approx(measured.WAL_SAMPLE_BYTES, rel=0.5)
