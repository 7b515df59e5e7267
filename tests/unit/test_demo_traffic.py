"""The demo's traffic, on a backend in memory."""

import asyncio
from pathlib import Path
from random import Random

import httpx
import pytest

from demo import traffic
from tests.unit.fake_demo import Demo, value

SERIES_TO_MOVE: tuple[tuple[str, dict[str, str]], ...] = (
    ("http_requests_total", {"method": "GET", "endpoint": "/api/v1/patients", "status": "200"}),
    ("http_requests_total", {"method": "GET", "endpoint": "/api/v1/reports", "status": "503"}),
    ("http_request_duration_seconds_count", {"method": "GET", "endpoint": "/api/v1/anomalies"}),
    ("ecg_processing_duration_seconds_count", {}),
    ("wasm_execution_duration_seconds_count", {}),
    *(
        ("db_query_duration_seconds_count", {"query_type": kind})
        for kind in ("select", "insert", "update", "delete", "report")
    ),
    *(("cache_hits_total", {"cache_type": kind}) for kind in ("patients", "vitals", "sessions")),
    ("cache_misses_total", {"cache_type": "patients"}),
    ("cache_misses_total", {"cache_type": "vitals"}),
    ("auth_attempts_total", {"result": "success"}),
    ("auth_attempts_total", {"result": "failure"}),
)


def _key(name: str, labels: dict[str, str]) -> tuple[str, str]:
    return name, str(sorted(labels.items()))


class Moved:
    """Metrics before and after some traffic."""

    def __init__(self, rounds: int = 30) -> None:
        before = {_key(n, labels): value(n, **labels) for n, labels in SERIES_TO_MOVE}
        anomalies = self._anomalies()

        async def act(client: httpx.AsyncClient) -> traffic.Traffic:
            made = traffic.Traffic(client, Random(3))
            for _ in range(rounds):
                for action in traffic.PLAN:
                    await action.act(made)
            return made

        self.answers = Demo().run(act).answers
        self.by = {
            _key(n, labels): value(n, **labels) - before[_key(n, labels)]
            for n, labels in SERIES_TO_MOVE
        }
        self.gauges = [value("active_patients_total"), value("active_sessions_total")]
        grown = {key: number - anomalies[key] for key, number in self._anomalies().items()}
        self.anomalies = {key for key, number in grown.items() if number}

    @staticmethod
    def _anomalies() -> dict[tuple[str, str], float]:
        from app.metrics import ANOMALY_TYPES, SEVERITIES

        return {
            (kind, severity): value(
                "anomalies_detected_total", anomaly_type=kind, severity=severity
            )
            for kind in ANOMALY_TYPES
            for severity in SEVERITIES
        }


@pytest.fixture(scope="module")
def moved() -> Moved:
    return Moved()


@pytest.mark.parametrize(("name", "labels"), SERIES_TO_MOVE)
def test_traffic_increases_each_counter(moved: Moved, name: str, labels: dict[str, str]) -> None:
    assert moved.by[_key(name, labels)] > 0


def test_traffic_sets_each_gauge(moved: Moved) -> None:
    assert all(gauge > 0 for gauge in moved.gauges)


def test_traffic_anomalies_have_several_types_and_severities(moved: Moved) -> None:
    assert len({kind for kind, _ in moved.anomalies}) >= 5
    assert {severity for _, severity in moved.anomalies} == {"low", "medium", "high", "critical"}


def test_traffic_requests_are_all_answered(moved: Moved) -> None:
    assert moved.answers["no answer"] == 0


def test_plan_error_rate_is_far_below_the_alert() -> None:
    weights = {action.act: action.weight for action in traffic.PLAN}
    assert weights[traffic.Traffic.endless_report] / sum(weights.values()) < 0.005


def test_plan_includes_every_request() -> None:
    plan = {action.act.__name__ for action in traffic.PLAN}
    known = {
        name
        for name, function in vars(traffic.Traffic).items()
        if asyncio.iscoroutinefunction(function) and not name.startswith("_")
    }
    assert plan == known


def test_traffic_backend_down_continues() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async def act() -> int:
        transport = httpx.MockTransport(refuse)
        async with httpx.AsyncClient(transport=transport, base_url="http://backend") as client:
            made = traffic.Traffic(client, Random(3))
            for action in traffic.PLAN:
                await action.act(made)
            return made.answers["no answer"]

    assert asyncio.run(act()) == len(traffic.PLAN)


def test_traffic_keeps_its_rate_and_heartbeat(tmp_path: Path) -> None:
    options = traffic.Options("http://backend", 100, 3, tmp_path / "heartbeat")

    async def for_a_second(client: httpx.AsyncClient) -> int:
        made = traffic.Traffic(client, Random(3))
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        await traffic.run(made, options, stop)
        return made.answers.total()

    asked = Demo().run(for_a_second)
    assert len(traffic.PLAN) + 20 <= asked <= len(traffic.PLAN) + 130
    assert (tmp_path / "heartbeat").exists()


@pytest.mark.parametrize("rate", ["0", "-1", "101"])
def test_traffic_rate_out_of_bounds_is_refused(
    rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        traffic.parse(["--rate", rate])
    assert "--rate must be above 0" in capsys.readouterr().err
