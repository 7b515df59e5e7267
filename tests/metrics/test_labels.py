"""Labels stay few, whatever clients and callers send; what is cut is counted."""

import asyncio
import string
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.metrics.application import new_endpoint, requests, value, with_middleware
from vitalstream_metrics import REGISTRY, record_anomaly, record_auth_attempt, record_cache_hit
from vitalstream_metrics.labels import ROOM, BoundedMetric

FUZZED = 100_000
ALPHABET = string.ascii_letters + string.digits + '/%{}. "\\\n\x00é心\ud800'


def series(name: str) -> int:
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    return sum(len(f.samples) for f in families if f.name.startswith(name))


def texts(seed: int) -> Any:
    rng = Random(seed)
    while True:
        yield "".join(rng.choices(ALPHABET, k=rng.randint(1, 40)))


async def send_all(app: FastAPI, prefix: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None: ...

    rng, words = Random(1), texts(2)
    methods = ["GET", "POST", "DELETE"]
    for _ in range(FUZZED):
        method = rng.choice(methods) if rng.random() < 0.5 else next(words)
        word = next(words).replace("\ud800", "")  # a server decodes UTF-8
        path = f"/{word}" if rng.random() < 0.5 else f"{prefix}/{word}"
        await app(
            {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""},
            receive,
            send,
        )


@pytest.mark.timeout(600)
def test_labels_of_100000_random_urls_and_methods_are_bounded() -> None:
    prefix = new_endpoint()
    app = with_middleware()
    app.add_api_route(prefix + "/{name}", lambda name: None)
    before = series("http_requests")
    asyncio.run(send_all(app, prefix))
    found = requests("(unmatched)")
    assert sum(found.values()) + sum(requests(prefix + "/{name}").values()) >= FUZZED
    assert {method for method, _ in found} <= {"GET", "POST", "DELETE", "other"}
    # Two endpoints, four methods, at most ten statuses each.
    assert series("http_requests") - before <= 2 * 4 * 10 + 8


def test_labels_of_100000_random_anomalies_are_bounded_and_counted() -> None:
    words = texts(3)
    labels = {"metric": "anomalies_detected_total", "label": "anomaly_type"}
    for _ in range(FUZZED):
        record_anomaly(next(words), "high")
    assert (value("metrics_labels_dropped_total", **labels) or 0) >= FUZZED - ROOM - 100
    total = value("anomalies_detected_total", anomaly_type="other", severity="high") or 0
    assert total >= FUZZED - ROOM - 100
    assert series("anomalies_detected") < 150


@pytest.mark.parametrize(
    "value_", ["x" * 101, "line\nbreak", "\ud800", "\x00"], ids=["long", "lines", "half", "null"]
)
def test_label_that_is_no_name_counts_as_other(value_: str) -> None:
    record_cache_hit(value_)
    record_auth_attempt(value_)
    page = generate_latest(REGISTRY).decode()  # a lone surrogate would fail it
    assert value_ not in page


def test_labels_that_are_known_take_no_room_of_the_others() -> None:
    metric = Counter("fuzzed_total", "Fuzzed.", ["kind"], registry=None)
    bounded = BoundedMetric(metric, "inc", [["known"]])
    for number in range(ROOM):
        bounded.create(f"created {number}")
    for number in range(ROOM + 5):
        bounded.child(f"new {number}")()
    bounded.child("known")()
    found = {sample.labels["kind"] for family in metric.collect() for sample in family.samples}
    assert len(found) == 1 + ROOM + ROOM + 1
    assert {"known", "created 0", "new 0", f"new {ROOM - 1}", "other"} <= found
