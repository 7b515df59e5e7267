"""The series of a tracked request: in progress, duration, their cost, and 0 from the start."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import HTTPException, Response
from prometheus_client import generate_latest

from app import metrics
from app.metrics import track_request_metrics
from tests.metrics.application import in_progress, new_endpoint, requests, value
from vitalstream_metrics import REGISTRY, recorders, series


@pytest.fixture
def endpoint() -> str:
    return new_endpoint()


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
    monkeypatch.setattr(recorders._ANOMALIES._metric, "labels", None)
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


@pytest.mark.parametrize("kind", [series.Series, series.LocalSeries])
def test_series_counts_as_the_public_methods_of_prometheus_client_do(
    endpoint: str, kind: type[series.Series]
) -> None:
    counted = kind("GET", endpoint, 200)
    public = new_endpoint()
    for seconds in (0.0, 0.005, 0.3, 1.0, 1.0001, 99.0):
        counted.enter()
        counted.finish(200, seconds)
        series.REQUESTS.labels("GET", public, "200").inc()
        series.REQUEST_DURATION.labels("GET", public).observe(seconds)
    series.IN_PROGRESS.labels("GET", public)

    def page(of: str) -> list[str]:
        lines = generate_latest(REGISTRY).decode().splitlines()
        found = [line.replace(of, "X") for line in lines if f'"{of}"' in line]
        return [line for line in found if 'status="' not in line or 'status="200"' in line]

    assert page(endpoint) == page(public)
