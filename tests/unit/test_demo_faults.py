"""Fault injection of the demo's backend."""

import asyncio
import time

import httpx
import pytest

from demo.faults import Fault, Faults
from tests.unit.fake_demo import Demo, value


@pytest.fixture
def demo() -> Demo:
    return Demo()


def test_fault_endpoint_disabled_returns_404(demo: Demo) -> None:
    assert demo.ask("POST", "/demo/fault", json={"errors": 1}).status_code == 404


def _with_fault(fault: dict[str, float]) -> tuple[int, int]:
    """Statuses of the fault's own answer and of a request after it."""

    async def ask(client: httpx.AsyncClient) -> tuple[int, int]:
        injected = await client.post("/demo/fault", json=fault)
        return injected.status_code, (await client.get("/api/v1/patients")).status_code

    return Demo(faults=True).run(ask)


def test_fault_errors_are_counted() -> None:
    labels = {"method": "GET", "endpoint": "/api/v1/patients", "status": "500"}
    before = value("http_requests_total", **labels)
    assert _with_fault({"errors": 1}) == (200, 500)
    assert value("http_requests_total", **labels) == before + 1


def test_fault_delay_is_measured() -> None:
    labels = {"method": "GET", "endpoint": "/api/v1/patients"}
    before = value("http_request_duration_seconds_sum", **labels)
    assert _with_fault({"latency_seconds": 0.2}) == (200, 200)
    assert value("http_request_duration_seconds_sum", **labels) - before >= 0.2


@pytest.mark.parametrize(
    "fault",
    [
        {"errors": 1.1},
        {"errors": -1},
        {"latency_seconds": 11},
        {"duration_seconds": 3601},
        {"error": 1},
    ],
)
def test_fault_out_of_bounds_is_refused(fault: dict[str, float]) -> None:
    assert _with_fault(fault) == (422, 200)


def test_hanging_fault_answers_nothing_until_it_is_over() -> None:
    async def ask(client: httpx.AsyncClient) -> tuple[bool, int]:
        await client.post("/demo/fault", json={"hangs": True})
        hanging = asyncio.create_task(client.get("/api/v1/patients"))
        done, _ = await asyncio.wait([hanging], timeout=0.3)
        await client.post("/demo/fault", json={})
        return bool(done), (await hanging).status_code

    assert Demo(faults=True).run(ask) == (False, 200)


def test_fault_ends_after_its_duration() -> None:
    faults = Faults()
    faults.inject(Fault(errors=1, duration_seconds=0.01))
    time.sleep(0.02)
    asyncio.run(faults())
