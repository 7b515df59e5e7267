"""`/metrics` as Prometheus sees it, of one process and of several."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route

from app.metrics import metrics_app, track_request_metrics
from tests.metrics.application import call, with_middleware

ROOT = Path(__file__).parents[2]
EXPECTED = {
    "http_requests": ("counter", {"method", "endpoint", "status"}),
    "http_request_duration_seconds": ("histogram", {"method", "endpoint"}),
    "http_requests_in_progress": ("gauge", {"method", "endpoint"}),
    "active_patients_total": ("gauge", set()),
    "anomalies_detected": ("counter", {"anomaly_type", "severity"}),
    "ecg_processing_duration_seconds": ("histogram", set()),
    "wasm_execution_duration_seconds": ("histogram", set()),
    "db_connections_in_use": ("gauge", set()),
    "db_connections_max": ("gauge", set()),
    "db_query_duration_seconds": ("histogram", {"query_type"}),
    "cache_hits": ("counter", {"cache_type"}),
    "cache_misses": ("counter", {"cache_type"}),
    "auth_attempts": ("counter", {"result"}),
    "active_sessions_total": ("gauge", set()),
}


@pytest.fixture(scope="module")
def scraped() -> dict[str, Any]:
    app = with_middleware()
    app.routes.append(Route("/metrics", metrics_app))

    @app.get("/scraped")
    @track_request_metrics("/scraped")
    async def handler() -> None: ...

    call(app, "GET", "/scraped")
    response = call(app, "GET", "/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(response.text)
    return {family.name: family for family in families}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_metric_has_its_type_and_exactly_its_labels(scraped: dict[str, Any], name: str) -> None:
    family = scraped[name]
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert (family.type, labels) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_metric_says_what_it_is(scraped: dict[str, Any], name: str) -> None:
    assert scraped[name].documentation.endswith(".")


def test_a_scrape_may_ask_for_single_metrics() -> None:
    app = FastAPI()
    app.routes.append(Route("/metrics", metrics_app))
    text = call(app, "GET", "/metrics?name[]=active_patients_total").text
    assert [line for line in text.splitlines() if line[0] != "#"] != []
    assert all("active_patients_total" in line for line in text.splitlines())


def test_a_scrape_is_compressed_where_the_client_takes_it() -> None:
    app = FastAPI()
    app.routes.append(Route("/metrics", metrics_app))
    response = call(app, "GET", "/metrics", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert "http_requests_total" in response.text


def test_counters_are_exposed_with_total_and_without_created(scraped: dict[str, Any]) -> None:
    names = {s.name for n in EXPECTED for s in scraped[n].samples}
    assert {"http_requests_total", "cache_hits_total"} <= names
    assert not any(name.endswith("_created") for name in names)


def test_process_start_time_is_exposed(scraped: dict[str, Any]) -> None:
    assert "process_start_time_seconds" in scraped


def test_a_scrape_may_ask_for_openmetrics() -> None:
    app = FastAPI()
    app.routes.append(Route("/metrics", metrics_app))
    response = call(
        app, "GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_importing_app_metrics_needs_no_web_framework() -> None:
    code = """
        import sys
        import app.metrics
        print({"fastapi", "starlette"} & set(sys.modules))
    """
    assert _python(code) == "set()"


# Several worker processes

WORKER = """
    import os, sys
    from app.metrics import metrics_app, track_request_metrics, update_active_patients

    @track_request_metrics("/x")
    def handler(): ...

    for _ in range(int(sys.argv[1])):
        handler()
    update_active_patients(int(sys.argv[1]), scope="ward")
"""
SCRAPE = """
    import asyncio, httpx
    from app.metrics import metrics_app

    async def scrape():
        transport = httpx.ASGITransport(metrics_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            return (await client.get("/metrics")).text

    print(asyncio.run(scrape()))
"""


def _python(code: str, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def of_workers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Return a scrape after one worker had 3 requests and another 5."""
    folder = str(tmp_path_factory.mktemp("multiprocess"))
    for number in ("3", "5"):
        _python(WORKER, number, PROMETHEUS_MULTIPROC_DIR=folder)
    text = _python(SCRAPE, PROMETHEUS_MULTIPROC_DIR=folder) + "\n"
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("status", "200") == "200"
    }


def test_workers_requests_add_up(of_workers: dict[str, float]) -> None:
    assert of_workers["http_requests_total"] == 8


def test_counts_of_the_whole_ward_are_the_latest_of_the_workers(
    of_workers: dict[str, float],
) -> None:
    assert of_workers["active_patients_total"] == 5


def test_workers_start_time_is_exposed(of_workers: dict[str, float]) -> None:
    assert of_workers["process_start_time_seconds"] > 0
