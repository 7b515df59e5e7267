"""Requests to an application of a test's own, and what `app.metrics` then says of them."""

import asyncio
from itertools import count
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from app.metrics import MetricsMiddleware

Labels = dict[str, str]
_numbers = count()


def new_endpoint() -> str:
    """An endpoint of one test's own: the metrics are the whole process's."""
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


def call(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
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
