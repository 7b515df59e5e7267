"""`app.metrics`: what one request, one anomaly, one query leave behind on `/metrics`."""

import asyncio
import inspect
import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from app import metrics, series
from app.metrics import MetricsMiddleware, metrics_app, track_request_metrics

ROOT = Path(__file__).parents[2]
Labels = dict[str, str]
_numbers = count()


@pytest.fixture
def endpoint() -> str:
    """An endpoint of this test's own: the metrics are the whole process's."""
    return f"/test/{next(_numbers)}"


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def requests(endpoint: str) -> dict[tuple[str, str], float]:
    """`(method, status)` to how many, of those that are not 0."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(generate_latest(REGISTRY).decode()):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "http_requests_total" and labels["endpoint"] == endpoint:
                found[labels["method"], labels["status"]] = sample.value
    return {key: number for key, number in found.items() if number}


def in_progress(endpoint: str, method: str = "GET") -> float | None:
    return value("http_requests_in_progress", method=method, endpoint=endpoint)


def call(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


def with_middleware() -> FastAPI:
    app = FastAPI()
    app.add_middleware(MetricsMiddleware)
    return app


class Item(BaseModel):
    name: str


# The decorator on its own


def test_an_async_handler_is_counted_and_returns_its_value(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> str:
        return "answer"

    assert asyncio.run(handler()) == "answer"
    assert requests(endpoint) == {("GET", "200"): 1}


def test_a_sync_handler_is_counted_and_stays_sync(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> str:
        return "answer"

    assert not inspect.iscoroutinefunction(handler)
    assert handler() == "answer"
    assert requests(endpoint) == {("GET", "200"): 1}


def test_an_async_handler_stays_async(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    assert inspect.iscoroutinefunction(handler)


def test_name_docstring_and_signature_are_kept(endpoint: str) -> None:
    async def handler(patient_id: int, *, limit: int = 20, item: Item | None = None) -> list[int]:
        """What it does."""
        return []

    tracked = track_request_metrics(endpoint)(handler)
    assert inspect.signature(tracked) == inspect.signature(handler)
    assert (tracked.__name__, tracked.__doc__) == ("handler", "What it does.")


def test_fastapi_injects_dependencies_into_a_tracked_handler(endpoint: str) -> None:
    app = FastAPI()

    @app.get("/x/{number}")
    @track_request_metrics(endpoint)
    def handler(number: int, limit: int = 5, user: str = Depends(lambda: "nurse")) -> list[Any]:
        return [number, limit, user]

    assert call(app, "GET", "/x/3?limit=7").json() == [3, 7, "nurse"]


@pytest.mark.parametrize("status", [204, 304, 418, 503])
def test_the_status_of_a_returned_response_is_counted(endpoint: str, status: int) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> Response:
        return Response(status_code=status)

    asyncio.run(handler())
    assert requests(endpoint) == {("GET", str(status)): 1}


def test_a_plain_value_that_has_a_status_code_is_no_response(endpoint: str) -> None:
    class Upstream(BaseModel):
        status_code: int = 502

    @track_request_metrics(endpoint)
    async def handler() -> Upstream:
        return Upstream()

    asyncio.run(handler())
    assert requests(endpoint) == {("GET", "200"): 1}


@pytest.mark.parametrize("kind", [HTTPException, StarletteHTTPException])
def test_the_status_of_a_raised_http_exception_is_counted(endpoint: str, kind: type) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise kind(status_code=404)

    with pytest.raises(kind):
        asyncio.run(handler())
    assert requests(endpoint) == {("GET", "404"): 1}


def test_an_unexpected_exception_is_a_500_and_goes_on(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None:
        raise ZeroDivisionError("the cause")

    with pytest.raises(ZeroDivisionError, match="the cause"):
        handler()
    assert requests(endpoint) == {("GET", "500"): 1}


def test_another_servers_status_in_an_exception_is_a_500_of_ours(endpoint: str) -> None:
    class UpstreamError(Exception):
        status_code = 404

    @track_request_metrics(endpoint)
    def handler() -> None:
        raise UpstreamError

    with pytest.raises(UpstreamError):
        handler()
    assert requests(endpoint) == {("GET", "500"): 1}


def test_a_cancelled_request_is_a_499_and_no_server_error(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None:
        await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(handler())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert requests(endpoint) == {("GET", "499"): 1}


def test_an_explicit_method_and_status_are_taken(endpoint: str) -> None:
    @track_request_metrics(endpoint, method="post", status=201)
    async def handler() -> None: ...

    asyncio.run(handler())
    assert requests(endpoint) == {("POST", "201"): 1}


@pytest.mark.parametrize("name", ["request", "asked"])
def test_the_method_is_that_of_the_handlers_request(endpoint: str, name: str) -> None:
    app = FastAPI()

    async def by_usual_name(request: Request) -> None: ...

    async def by_annotation(asked: Request) -> None: ...

    handler: Callable[..., Awaitable[None]]
    handler = by_usual_name if name == "request" else by_annotation
    app.put("/x")(track_request_metrics(endpoint)(handler))
    call(app, "PUT", "/x")
    assert requests(endpoint) == {("PUT", "200"): 1}


def test_a_starlette_handler_gets_its_request_by_position(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler(request):  # type: ignore[no-untyped-def]
        return PlainTextResponse("removed")

    app = FastAPI()
    app.routes.append(Route("/x", handler, methods=["DELETE"]))
    assert call(app, "DELETE", "/x").text == "removed"
    assert requests(endpoint) == {("DELETE", "200"): 1}


def test_the_status_set_on_an_injected_response_is_counted(endpoint: str) -> None:
    app = FastAPI()

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler(response: Response) -> str:
        response.status_code = 202
        return "accepted"

    assert call(app, "GET", "/x").status_code == 202
    assert requests(endpoint) == {("GET", "202"): 1}


def test_methods_of_a_clients_invention_share_one_label(endpoint: str) -> None:
    app = FastAPI()

    async def handler(request: Request) -> Response:
        return Response()

    app.routes.append(
        Route("/x", track_request_metrics(endpoint)(handler), methods=["BREW", "WHEN"])
    )
    call(app, "BREW", "/x")
    call(app, "WHEN", "/x")
    assert requests(endpoint) == {("OTHER", "200"): 2}


def test_the_decorator_without_an_endpoint_is_refused() -> None:
    def handler() -> None: ...

    with pytest.raises(TypeError, match="with the endpoint's path"):
        track_request_metrics(handler)  # type: ignore[arg-type]


def test_a_generator_is_refused_because_its_end_is_not_the_answer(endpoint: str) -> None:
    async def handler() -> Any:
        yield 1

    with pytest.raises(TypeError, match="StreamingResponse"):
        track_request_metrics(endpoint)(handler)


# In progress, duration, concurrency


def test_a_request_is_in_progress_while_it_is_handled_and_not_after(endpoint: str) -> None:
    seen: list[float | None] = []

    @track_request_metrics(endpoint)
    def handler() -> None:
        seen.append(in_progress(endpoint))

    handler()
    assert [*seen, in_progress(endpoint)] == [1, 0]


@pytest.mark.parametrize("error", [HTTPException(400), RuntimeError(), KeyboardInterrupt()])
def test_nothing_stays_in_progress_after_an_exception(endpoint: str, error: BaseException) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None:
        raise error

    with pytest.raises(type(error)):
        handler()
    assert in_progress(endpoint) == 0


def test_concurrent_requests_are_each_in_progress_and_each_counted(endpoint: str) -> None:
    together = asyncio.Event()
    most: list[float | None] = []

    @track_request_metrics(endpoint)
    async def handler() -> None:
        await together.wait()

    async def fifty() -> None:
        tasks = [asyncio.create_task(handler()) for _ in range(50)]
        await asyncio.sleep(0)
        most.append(in_progress(endpoint))
        together.set()
        await asyncio.gather(*tasks)

    asyncio.run(fifty())
    assert (most, in_progress(endpoint)) == ([50], 0)
    assert requests(endpoint) == {("GET", "200"): 50}


def test_threads_lose_no_request(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None: ...

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: handler(), range(4000)))
    assert requests(endpoint) == {("GET", "200"): 4000}
    assert in_progress(endpoint) == 0


def test_a_failed_request_has_a_duration_too(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        handler()
    labels = {"method": "GET", "endpoint": endpoint}
    assert value("http_request_duration_seconds_count", **labels) == 1


def test_the_duration_is_in_seconds(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None:
        await asyncio.sleep(0.06)

    asyncio.run(handler())
    labels = {"method": "GET", "endpoint": endpoint}
    assert value("http_request_duration_seconds_bucket", le="0.05", **labels) == 0
    assert 0.06 <= (value("http_request_duration_seconds_sum", **labels) or 0) < 5


def test_one_second_is_a_bound_of_the_duration_so_that_its_alert_is_exact() -> None:
    assert 1.0 in series.DURATION_BUCKETS


# Cost


def test_label_children_are_looked_up_once_and_not_per_request(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups: list[tuple[Any, ...]] = []
    for metric in (series.REQUESTS, series.REQUEST_DURATION, series.IN_PROGRESS):
        original = metric.labels

        def counted(*values: Any, _labels: Any = original) -> Any:
            lookups.append(values)
            return _labels(*values)

        monkeypatch.setattr(metric, "labels", counted)

    @track_request_metrics(endpoint)
    def handler(response: Response) -> None: ...

    handler(Response(status_code=404))
    after_the_first = len(lookups)
    for _ in range(20):
        handler(Response(status_code=404))
    assert after_the_first > 0
    assert len(lookups) == after_the_first


def test_anomaly_children_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.record_anomaly(anomaly_type="bradycardia", severity="high")
    monkeypatch.setattr(metrics._ANOMALIES, "labels", None)
    metrics.record_anomaly(anomaly_type="bradycardia", severity="high")


# Series at 0


def test_a_tracked_method_has_its_success_and_its_500_at_0_before_any_request(
    endpoint: str,
) -> None:
    @track_request_metrics(endpoint, method="POST", status=201)
    async def handler() -> None: ...

    for status in ("201", "500"):
        labels = {"method": "POST", "endpoint": endpoint, "status": status}
        assert value("http_requests_total", **labels) == 0
    assert in_progress(endpoint, "POST") == 0


def test_the_first_request_of_a_method_brings_its_500_at_0(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    asyncio.run(handler())
    assert value("http_requests_total", method="GET", endpoint=endpoint, status="500") == 0


def test_all_known_anomalies_exist_from_the_start() -> None:
    for anomaly_type in metrics.ANOMALY_TYPES:
        for severity in metrics.SEVERITIES:
            labels = {"anomaly_type": anomaly_type, "severity": severity}
            assert value("anomalies_detected_total", **labels) is not None


def test_label_values_of_ones_own_can_be_created_at_0() -> None:
    metrics.initialise_labels(
        anomaly_types=["hypoxia"],
        cache_types=["alarms"],
        query_types=["vacuum"],
        auth_results=["locked"],
    )
    assert value("anomalies_detected_total", anomaly_type="hypoxia", severity="critical") == 0
    assert value("cache_hits_total", cache_type="alarms") == 0
    assert value("cache_misses_total", cache_type="alarms") == 0
    assert value("db_query_duration_seconds_count", query_type="vacuum") == 0
    assert value("auth_attempts_total", result="locked") == 0


# The middleware


def test_the_middleware_knows_the_method_of_a_handler_without_a_request(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x")
    @track_request_metrics(endpoint)
    async def handler(item: Item) -> str:
        return item.name

    assert call(app, "POST", "/x", json={"name": "ecg"}).json() == "ecg"
    assert requests(endpoint) == {("POST", "200"): 1}


def test_the_middleware_counts_the_status_that_was_sent(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x", status_code=201)
    @track_request_metrics(endpoint)
    def handler() -> str:
        return "made"

    call(app, "POST", "/x")
    assert requests(endpoint) == {("POST", "201"): 1}


def test_the_middleware_counts_what_an_exception_handler_made_of_an_error(endpoint: str) -> None:
    app = with_middleware()

    @app.exception_handler(LookupError)
    async def conflict(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({}, status_code=409)

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise LookupError

    assert call(app, "GET", "/x").status_code == 409
    assert requests(endpoint) == {("GET", "409"): 1}


def test_the_middleware_counts_an_unexpected_exception_as_a_500(endpoint: str) -> None:
    app = with_middleware()

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None:
        raise RuntimeError

    assert call(app, "GET", "/x").status_code == 500
    assert requests(endpoint) == {("GET", "500"): 1}
    assert in_progress(endpoint) == 0


def test_the_middleware_counts_a_request_whose_dependency_failed(endpoint: str) -> None:
    app = with_middleware()

    def database() -> None:
        raise HTTPException(503)

    @app.get("/x", dependencies=[Depends(database)])
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    assert requests(endpoint) == {("GET", "503"): 1}


def test_the_middleware_counts_a_request_that_was_not_valid(endpoint: str) -> None:
    app = with_middleware()

    @app.post("/x")
    @track_request_metrics(endpoint)
    async def handler(item: Item) -> None: ...

    call(app, "POST", "/x", json={})
    assert requests(endpoint) == {("POST", "422"): 1}


def test_the_middleware_times_a_handlers_dependencies_too(endpoint: str) -> None:
    app = with_middleware()

    async def slow() -> None:
        await asyncio.sleep(0.06)

    @app.get("/x", dependencies=[Depends(slow)])
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    labels = {"method": "GET", "endpoint": endpoint}
    assert (value("http_request_duration_seconds_sum", **labels) or 0) >= 0.06


def test_with_the_middleware_all_tracked_routes_exist_at_0_from_the_start(endpoint: str) -> None:
    app = with_middleware()

    @app.delete("/x", status_code=204)
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/elsewhere")
    assert value("http_requests_total", method="DELETE", endpoint=endpoint, status="204") == 0
    assert value("http_requests_total", method="DELETE", endpoint=endpoint, status="500") == 0


def test_two_middlewares_count_a_request_once(endpoint: str) -> None:
    app = with_middleware()
    app.add_middleware(MetricsMiddleware)

    @app.get("/x")
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    call(app, "GET", "/x")
    assert requests(endpoint) == {("GET", "200"): 1}


def test_an_application_that_returns_without_an_answer_leaves_nothing_in_progress(
    endpoint: str,
) -> None:
    @track_request_metrics(endpoint)
    async def handler() -> None: ...

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await handler()

    async def send(message: Any) -> None: ...

    async def receive() -> Any: ...

    scope = {"type": "http", "method": "GET"}
    asyncio.run(MetricsMiddleware(silent)(scope, receive, send))
    assert requests(endpoint) == {("GET", "500"): 1}
    assert in_progress(endpoint) == 0


def test_an_untracked_handler_is_not_counted() -> None:
    app = with_middleware()

    @app.get("/healthz")
    async def handler() -> None: ...

    call(app, "GET", "/healthz")
    assert requests("/healthz") == {}


# The other metrics


def test_record_anomaly_counts_by_type_and_severity() -> None:
    labels = {"anomaly_type": "bradycardia", "severity": "high"}
    before = value("anomalies_detected_total", **labels) or 0
    metrics.record_anomaly(anomaly_type="bradycardia", severity="high")
    assert value("anomalies_detected_total", **labels) == before + 1


@pytest.mark.parametrize(
    ("update", "name"),
    [
        (metrics.update_active_patients, "active_patients_total"),
        (metrics.update_active_sessions, "active_sessions_total"),
    ],
)
def test_a_gauge_is_set_to_what_it_is_told(update: Callable[[float], None], name: str) -> None:
    update(42)
    update(41)
    assert value(name) == 41


def test_the_pools_connections_are_set_together() -> None:
    metrics.set_db_connections(in_use=3, maximum=20)
    assert (value("db_connections_in_use"), value("db_connections_max")) == (3, 20)


@pytest.mark.parametrize(
    ("record", "name", "labels"),
    [
        (metrics.record_cache_hit, "cache_hits_total", {"cache_type": "patients"}),
        (metrics.record_cache_miss, "cache_misses_total", {"cache_type": "patients"}),
        (metrics.record_auth_attempt, "auth_attempts_total", {"result": "failure"}),
    ],
)
def test_a_counter_helper_counts_one(
    record: Callable[[str], None], name: str, labels: Labels
) -> None:
    before = value(name, **labels) or 0
    record(*labels.values())
    assert value(name, **labels) == before + 1


TIMERS = [
    (metrics.track_ecg_processing, "ecg_processing_duration_seconds_count", {}),
    (metrics.track_wasm_execution, "wasm_execution_duration_seconds_count", {}),
    (
        lambda: metrics.track_db_query("select"),
        "db_query_duration_seconds_count",
        {"query_type": "select"},
    ),
]


@pytest.mark.parametrize(("timer", "name", "labels"), TIMERS)
def test_a_timer_times_a_block_even_one_that_fails(
    timer: Callable[[], Any], name: str, labels: Labels
) -> None:
    before = value(name, **labels) or 0
    with pytest.raises(RuntimeError), timer():
        raise RuntimeError
    assert value(name, **labels) == before + 1


def test_a_timer_times_every_call_of_a_function() -> None:
    @metrics.track_ecg_processing()
    def process(samples: int) -> int:
        return samples * 2

    before = value("ecg_processing_duration_seconds_count") or 0
    assert [process(1), process(2)] == [2, 4]
    assert value("ecg_processing_duration_seconds_count") == before + 2


def test_a_timer_times_an_async_function_to_its_end() -> None:
    @metrics.track_wasm_execution()
    async def execute() -> str:
        await asyncio.sleep(0.02)
        return "done"

    before = value("wasm_execution_duration_seconds_sum") or 0
    assert asyncio.run(execute()) == "done"
    assert (value("wasm_execution_duration_seconds_sum") or 0) - before >= 0.02


# What Prometheus sees

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


def test_counters_are_exposed_with_total_and_without_created(scraped: dict[str, Any]) -> None:
    names = {s.name for n in EXPECTED for s in scraped[n].samples}
    assert {"http_requests_total", "cache_hits_total"} <= names
    assert not any(name.endswith("_created") for name in names)


def test_the_start_time_that_uptime_is_told_from_is_exposed(scraped: dict[str, Any]) -> None:
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
    update_active_patients(int(sys.argv[1]))
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
    """What a scrape says after one worker had 3 requests and another 5."""
    folder = str(tmp_path_factory.mktemp("multiprocess"))
    for number in ("3", "5"):
        _python(WORKER, number, PROMETHEUS_MULTIPROC_DIR=folder)
    text = _python(SCRAPE, PROMETHEUS_MULTIPROC_DIR=folder) + "\n"
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("status") != "500"
    }


def test_workers_requests_add_up(of_workers: dict[str, float]) -> None:
    assert of_workers["http_requests_total"] == 8


def test_of_workers_gauges_the_latest_counts(of_workers: dict[str, float]) -> None:
    assert of_workers["active_patients_total"] == 5


def test_workers_start_time_is_exposed(of_workers: dict[str, float]) -> None:
    assert of_workers["process_start_time_seconds"] > 0
