"""The library beside prometheus-fastapi-instrumentator and an application's own exposition."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORTS = {
    "library": "from app.metrics import MetricsMiddleware, metrics_app",
    "instrumentator": "from prometheus_fastapi_instrumentator import Instrumentator",
}
APPLICATION = """
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from starlette.routing import Route

    app = FastAPI()
    app.routes.append(Route("/vitalstream-metrics", metrics_app))
    app.get("/x/{number}")(lambda number: number)
    Instrumentator().instrument(app).expose(app)
    app.add_middleware(MetricsMiddleware)
    client = TestClient(app)
    client.get("/x/1"), client.get("/x/2")
    for path in ("/vitalstream-metrics", "/metrics"):
        for line in client.get(path).text.splitlines():
            if line.startswith("http_requests_total") and "/x/" in line and line[-3:] != "0.0":
                print(path, line)
"""
OURS = 'http_requests_total{endpoint="/x/{number}",method="GET",status="200"} 2.0'
THEIRS = 'http_requests_total{handler="/x/{number}",method="GET",status="2xx"} 2.0'


def run(code: str, **env: str) -> tuple[list[str], str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("first", IMPORTS)
def test_registry_loses_no_series_beside_the_instrumentator(first: str) -> None:
    (second,) = IMPORTS.keys() - {first}
    head = f"{IMPORTS[first]}\n{IMPORTS[second]}\n"
    lines, warnings = run(head + textwrap.dedent(APPLICATION))
    assert lines == [f"/vitalstream-metrics {OURS}", f"/metrics {THEIRS}"]
    assert "metric http_requests" in warnings
    assert "fix: see 'Beside prometheus-fastapi-instrumentator'" in warnings


def test_registry_of_workers_keeps_the_instrumentators_series_out_of_ours(tmp_path: Path) -> None:
    head = "\n".join(IMPORTS.values()) + "\n"
    lines, warnings = run(
        head + textwrap.dedent(APPLICATION), PROMETHEUS_MULTIPROC_DIR=str(tmp_path)
    )
    assert [line for line in lines if line.startswith("/vitalstream")] == [
        f"/vitalstream-metrics {OURS}"
    ]
    assert f"/metrics {THEIRS}" in lines
    assert "theirs is left out of this page" in warnings


def test_registry_of_prometheus_client_shows_our_metrics_and_its_own_once() -> None:
    code = """
        import app.metrics
        from prometheus_client import Counter, generate_latest
        Counter("own_total", "The application's own.").inc()
        from app.metrics import metrics_app, record_anomaly
        from vitalstream_metrics.exposition import render
        record_anomaly("asystole", "high")
        for page in (generate_latest().decode(), render("", [], False)[1].decode()):
            for name in ("own_total 1", "python_info", "process_cpu_seconds_total ",
                         'anomalies_detected_total{anomaly_type="asystole",severity="high"} 1.0'):
                print(page.count("\\n" + name))
    """
    assert run(code)[0] == ["1"] * 8
