"""The demo's backend, on stores in memory, and its traffic."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisConnectionError

from demo import ecg, healthcheck, stores, traffic
from demo.backend import create_app
from demo.faults import Fault, Faults
from demo.settings import DEMO_LOGIN, PATIENTS, Settings

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
LOGIN = {"username": "nurse", "password": DEMO_LOGIN}


class FakePool:
    """A pool whose one connection answers by what a statement begins with."""

    def __init__(self) -> None:
        self.closed = True
        self.away = False
        self.statements: list[str] = []

    async def open(self, wait: bool) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator["FakePool"]:
        if self.away:
            raise PoolTimeout
        yield self

    async def execute(self, statement: str, parameters: Any = ()) -> SimpleNamespace:
        self.statements.append(statement)
        if "pg_sleep" in statement and parameters[0] > 0.4:
            raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
        rows = [{"id": 1, "bed": "bed 1"}] if statement.startswith("SELECT id") else []

        async def fetchall() -> list[dict[str, Any]]:
            return rows

        return SimpleNamespace(description="SELECT" in statement, fetchall=fetchall)


class FakeRedis:
    """The few commands that the demo uses; nothing expires."""

    def __init__(self) -> None:
        self.away = False
        self.values: dict[str, str] = {}
        self.scores: dict[str, float] = {}

    def _reach(self) -> None:
        if self.away:
            raise RedisConnectionError("refused")

    async def get(self, key: str) -> str | None:
        self._reach()
        return self.values.get(key)

    async def set(self, key: str, value: str, ex: int) -> None:
        self._reach()
        self.values[key] = value

    async def zadd(self, key: str, scores: dict[str, float]) -> None:
        self._reach()
        self.scores.update(scores)

    async def zscore(self, key: str, member: str) -> float | None:
        self._reach()
        return self.scores.get(member)

    async def zremrangebyscore(self, key: str, low: float, high: float) -> None:
        self._reach()
        self.scores = {m: score for m, score in self.scores.items() if score > high}

    async def zcard(self, key: str) -> int:
        self._reach()
        return len(self.scores)

    async def aclose(self) -> None: ...


class Demo:
    """A backend on fakes, and how to ask it."""

    def __init__(self, faults: bool = False) -> None:
        self.pool = FakePool()
        self.redis = FakeRedis()
        self.app: FastAPI = create_app(
            Settings.from_env({"DEMO_FAULTS": "1"} if faults else {}),
            stores.Database(cast("stores.Pool", self.pool)),
            stores.Cache(cast("Any", self.redis)),
        )

    def run(self, use: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        async def started() -> T:
            transport = httpx.ASGITransport(self.app)
            client = httpx.AsyncClient(transport=transport, base_url="http://backend")
            async with self.app.router.lifespan_context(self.app), client:
                await asyncio.sleep(0.01)
                return await use(client)

        return asyncio.run(started())

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(lambda client: client.request(method, path, **options))


@pytest.fixture
def demo() -> Demo:
    return Demo()


def recording(rhythm: str) -> dict[str, Any]:
    return {"samples": ecg.synthesise(rhythm, Random(1))}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# The backend


def test_patients_come_from_the_database_and_then_from_the_cache(demo: Demo) -> None:
    async def twice(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.get("/api/v1/patients")).json() for _ in range(2)]

    assert demo.run(twice) == [[{"id": 1, "bed": "bed 1"}]] * 2
    assert sum(s.startswith("SELECT id") for s in demo.pool.statements) == 1


def test_a_recording_is_analysed_and_its_anomaly_counted(demo: Demo) -> None:
    labels = {"anomaly_type": "asystole", "severity": "critical"}
    before = value("anomalies_detected_total", **labels)
    response = demo.ask("POST", "/api/v1/patients/1/vitals", json=recording("asystole"))
    assert response.status_code == 201
    assert response.json()["anomalies"] == [labels]
    assert value("anomalies_detected_total", **labels) == before + 1


def test_a_patient_with_a_recording_is_active(demo: Demo) -> None:
    async def two(client: httpx.AsyncClient) -> None:
        for patient in (1, 2, 2):
            path = f"/api/v1/patients/{patient}/vitals"
            await client.post(path, json=recording("normal"))

    demo.run(two)
    assert value("active_patients_total") == 2


def test_an_unknown_patient_is_a_404(demo: Demo) -> None:
    assert demo.ask("GET", f"/api/v1/patients/{PATIENTS + 1}/vitals").status_code == 404


def test_a_recording_without_samples_is_a_422(demo: Demo) -> None:
    path = "/api/v1/patients/1/vitals"
    assert demo.ask("POST", path, json={"samples": []}).status_code == 422


def test_a_wrong_password_is_refused_and_counted(demo: Demo) -> None:
    before = value("auth_attempts_total", result="failure")
    response = demo.ask("POST", "/api/v1/auth/login", json={**LOGIN, "password": "no"})
    assert response.status_code == 401
    assert value("auth_attempts_total", result="failure") == before + 1


def test_a_report_needs_a_session(demo: Demo) -> None:
    assert demo.ask("GET", "/api/v1/reports").status_code == 401


def _report(demo: Demo, period: str) -> httpx.Response:
    async def after_login(client: httpx.AsyncClient) -> httpx.Response:
        token = (await client.post("/api/v1/auth/login", json=LOGIN)).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        params = {"period": period}
        return await client.get("/api/v1/reports", headers=headers, params=params)

    return demo.run(after_login)


def test_a_login_opens_a_session_for_reports(demo: Demo) -> None:
    assert _report(demo, "hour").status_code == 200


def test_a_report_that_the_database_cancels_is_a_503(demo: Demo) -> None:
    assert _report(demo, "year").status_code == 503


def test_an_expired_session_is_refused(demo: Demo) -> None:
    demo.redis.scores["old"] = time.time() - 1
    headers = {"Authorization": "Bearer old"}
    assert demo.ask("GET", "/api/v1/reports", headers=headers).status_code == 401


def test_the_tables_are_made_by_the_backend_itself(demo: Demo) -> None:
    demo.ask("GET", "/healthz")
    created = [s for s in demo.pool.statements if s.startswith("CREATE TABLE")]
    assert len(created) == 4


def test_no_connection_stays_in_use(demo: Demo) -> None:
    demo.ask("GET", "/api/v1/anomalies")
    assert value("db_connections_in_use") == 0


def test_without_postgresql_a_query_is_a_503(demo: Demo) -> None:
    demo.pool.away = True
    assert demo.ask("GET", "/api/v1/anomalies").status_code == 503


def test_without_redis_patients_still_come_from_the_database(demo: Demo) -> None:
    demo.redis.away = True
    assert demo.ask("GET", "/api/v1/patients").status_code == 200


def test_without_redis_a_login_is_a_503(demo: Demo) -> None:
    demo.redis.away = True
    assert demo.ask("POST", "/api/v1/auth/login", json=LOGIN).status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_without_its_stores_the_backend_still_serves(demo: Demo, path: str) -> None:
    demo.pool.away = demo.redis.away = True
    assert demo.ask("GET", path).status_code == 200


@pytest.mark.parametrize(("away", "status"), [(False, 200), (True, 503)])
def test_the_backend_is_ready_when_its_stores_are_there(
    demo: Demo, away: bool, status: int
) -> None:
    demo.pool.away = away
    assert demo.ask("GET", "/readyz").status_code == status


# Faults


def test_there_are_no_faults_unless_they_are_enabled(demo: Demo) -> None:
    assert demo.ask("POST", "/demo/fault", json={"errors": 1}).status_code == 404


def _with_fault(fault: dict[str, float]) -> tuple[int, int]:
    """Statuses of the fault's own answer and of a request after it."""

    async def ask(client: httpx.AsyncClient) -> tuple[int, int]:
        injected = await client.post("/demo/fault", json=fault)
        return injected.status_code, (await client.get("/api/v1/patients")).status_code

    return Demo(faults=True).run(ask)


def test_a_fault_makes_errors_that_are_counted() -> None:
    labels = {"method": "GET", "endpoint": "/api/v1/patients", "status": "500"}
    before = value("http_requests_total", **labels)
    assert _with_fault({"errors": 1}) == (200, 500)
    assert value("http_requests_total", **labels) == before + 1


def test_a_fault_makes_slow_answers_whose_duration_is_seen() -> None:
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
def test_a_fault_out_of_bounds_is_refused_and_changes_nothing(fault: dict[str, float]) -> None:
    assert _with_fault(fault) == (422, 200)


def test_a_fault_ends_by_itself() -> None:
    faults = Faults()
    faults.inject(Fault(errors=1, duration_seconds=0.01))
    time.sleep(0.02)
    asyncio.run(faults())


# The ECG


@pytest.mark.parametrize("rhythm", ecg.RHYTHMS[1:])
def test_a_rhythm_is_found_in_most_of_its_recordings(rhythm: str) -> None:
    rng = Random(7)
    found = [ecg.analyse(ecg.smooth(ecg.synthesise(rhythm, rng))).anomalies for _ in range(40)]
    assert sum(any(a.anomaly_type == rhythm for a in anomalies) for anomalies in found) >= 30


def test_nothing_is_found_in_normal_recordings() -> None:
    rng = Random(7)
    recordings = [ecg.synthesise("normal", rng) for _ in range(40)]
    assert {ecg.analyse(ecg.smooth(samples)).anomalies for samples in recordings} == {()}


def test_the_heart_rate_is_in_beats_per_minute() -> None:
    analysis = ecg.analyse(ecg.smooth(ecg.synthesise("normal", Random(7))))
    assert 60 <= analysis.heart_rate <= 90


# The traffic

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
    """What a while of traffic did to the metrics."""

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
def test_the_traffic_moves_a_series(moved: Moved, name: str, labels: dict[str, str]) -> None:
    assert moved.by[_key(name, labels)] > 0


def test_the_traffic_sets_the_gauges(moved: Moved) -> None:
    assert all(gauge > 0 for gauge in moved.gauges)


def test_the_traffic_has_anomalies_of_several_types_and_severities(moved: Moved) -> None:
    assert len({kind for kind, _ in moved.anomalies}) >= 5
    assert {severity for _, severity in moved.anomalies} == {"low", "medium", "high", "critical"}


def test_every_request_of_the_traffic_is_answered(moved: Moved) -> None:
    assert moved.answers["no answer"] == 0


def test_the_plan_stays_far_below_the_error_rate_that_alerts() -> None:
    weights = {action.act: action.weight for action in traffic.PLAN}
    assert weights[traffic.Traffic.endless_report] / sum(weights.values()) < 0.005


def test_the_plan_has_every_request_the_traffic_knows() -> None:
    plan = {action.act.__name__ for action in traffic.PLAN}
    known = {
        name
        for name, function in vars(traffic.Traffic).items()
        if asyncio.iscoroutinefunction(function) and not name.startswith("_")
    }
    assert plan == known


def test_a_backend_that_is_away_does_not_end_the_traffic() -> None:
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


def test_the_traffic_keeps_its_rate_and_its_heartbeat(tmp_path: Path) -> None:
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
def test_a_rate_out_of_bounds_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        traffic.parse(["--rate", rate])
    assert "--rate must be above 0" in capsys.readouterr().err


# Settings, health check, image


def test_a_password_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Settings.from_env({"DEMO_POSTGRES_PASSWORD_FILE": str(file)})
    file.write_text("first\n")
    first = settings.postgres.password()
    file.write_text("second\n")
    assert (first, settings.postgres.password()) == ("first", "second")


def test_hosts_and_ports_come_from_the_environment() -> None:
    env = {"DEMO_POSTGRES_HOST": "db", "DEMO_REDIS_HOST": "cache", "DEMO_REDIS_PORT": "6380"}
    settings = Settings.from_env(env)
    assert (settings.postgres.host, settings.postgres.port) == ("db", 5432)
    assert (settings.redis.host, settings.redis.port) == ("cache", 6380)


def test_a_heartbeat_is_healthy_when_young_and_not_when_missing(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    assert healthcheck.main(["--heartbeat", str(file)]) == 1
    file.touch()
    assert healthcheck.main(["--heartbeat", str(file)]) == 0


def test_a_backend_that_does_not_listen_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck.main(["--port", "1"]) == 1
    assert "/healthz on port 1" in capsys.readouterr().err


def test_every_package_of_the_image_is_pinned_by_hash() -> None:
    text = (ROOT / "demo/requirements.txt").read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert packages
    assert [line for line in packages if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_lock_of_the_image_names_no_registry() -> None:
    assert "://" not in (ROOT / "demo/requirements.txt").read_text()
