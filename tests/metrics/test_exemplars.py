"""Exemplars: the trace of a request, where OpenTelemetry is active."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.metrics.application import call, new_endpoint, requests, with_middleware
from vitalstream_metrics import REGISTRY, track_request_metrics


def exemplars(endpoint: str) -> set[tuple[str, str]]:
    """Names of the samples of an endpoint that have an exemplar, and its trace."""
    page = generate_latest(REGISTRY).decode()  # type: ignore[no-untyped-call]
    families = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    return {
        (sample.name, sample.exemplar.labels["trace_id"])
        for family in families
        for sample in family.samples
        if sample.exemplar and sample.labels.get("endpoint") == endpoint
    }


@pytest.fixture
def endpoint() -> str:
    return new_endpoint()


def traced(sampler: Sampler) -> trace.Tracer:
    return TracerProvider(sampler=sampler).get_tracer("test")


def test_exemplar_of_a_traced_request_is_its_trace(endpoint: str) -> None:
    app = with_middleware()
    seen = []

    @app.get(endpoint)
    async def handler() -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)

    with traced(ALWAYS_ON).start_as_current_span("request"):
        call(app, "GET", endpoint)
    trace_id = format(seen[0], "032x")
    assert exemplars(endpoint) == {
        ("http_requests_total", trace_id),
        ("http_request_duration_seconds_bucket", trace_id),
    }
    assert requests(endpoint) == {("GET", "200"): 1}


def test_exemplar_of_a_decorated_handler_needs_no_middleware(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None: ...

    with traced(ALWAYS_ON).start_as_current_span("request"):
        handler()
    assert len(exemplars(endpoint)) == 2


def test_exemplar_is_left_out_where_the_trace_is_not_sampled(endpoint: str) -> None:
    @track_request_metrics(endpoint)
    def handler() -> None: ...

    with traced(ALWAYS_OFF).start_as_current_span("request"):
        handler()
    handler()
    assert exemplars(endpoint) == set()
    assert requests(endpoint) == {("GET", "200"): 2}
