"""The demo's backend, on stores in memory."""

import time
from random import Random
from typing import Any

import httpx
import pytest

from demo import ecg
from demo.settings import DEMO_LOGIN, PATIENTS
from tests.unit.fake_demo import Demo, value

LOGIN = {"username": "nurse", "password": DEMO_LOGIN}


@pytest.fixture
def demo() -> Demo:
    return Demo()


def recording(rhythm: str) -> dict[str, Any]:
    return {"samples": ecg.synthesise(rhythm, Random(1))}


def test_get_patients_twice_uses_database_then_cache(demo: Demo) -> None:
    async def twice(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.get("/api/v1/patients")).json() for _ in range(2)]

    assert demo.run(twice) == [[{"id": 1, "bed": "bed 1"}]] * 2
    assert sum(s.startswith("SELECT id") for s in demo.pool.statements) == 1


def test_post_recording_with_anomaly_counts_it(demo: Demo) -> None:
    labels = {"anomaly_type": "asystole", "severity": "critical"}
    before = value("anomalies_detected_total", **labels)
    response = demo.ask("POST", "/api/v1/patients/1/vitals", json=recording("asystole"))
    assert response.status_code == 201
    assert response.json()["anomalies"] == [labels]
    assert value("anomalies_detected_total", **labels) == before + 1


def test_post_recording_makes_the_patient_active(demo: Demo) -> None:
    async def two(client: httpx.AsyncClient) -> None:
        for patient in (1, 2, 2):
            path = f"/api/v1/patients/{patient}/vitals"
            await client.post(path, json=recording("normal"))

    demo.run(two)
    assert value("active_patients_total") == 2


def test_get_unknown_patient_returns_404(demo: Demo) -> None:
    assert demo.ask("GET", f"/api/v1/patients/{PATIENTS + 1}/vitals").status_code == 404


def test_post_recording_without_samples_returns_422(demo: Demo) -> None:
    path = "/api/v1/patients/1/vitals"
    assert demo.ask("POST", path, json={"samples": []}).status_code == 422


def test_login_wrong_password_is_refused_and_counted(demo: Demo) -> None:
    before = value("auth_attempts_total", result="failure")
    response = demo.ask("POST", "/api/v1/auth/login", json={**LOGIN, "password": "no"})
    assert response.status_code == 401
    assert value("auth_attempts_total", result="failure") == before + 1


def test_get_report_without_session_is_refused(demo: Demo) -> None:
    assert demo.ask("GET", "/api/v1/reports").status_code == 401


def _report(demo: Demo, period: str) -> httpx.Response:
    async def after_login(client: httpx.AsyncClient) -> httpx.Response:
        token = (await client.post("/api/v1/auth/login", json=LOGIN)).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        params = {"period": period}
        return await client.get("/api/v1/reports", headers=headers, params=params)

    return demo.run(after_login)


def test_login_opens_a_session_for_reports(demo: Demo) -> None:
    assert _report(demo, "hour").status_code == 200


def test_get_report_cancelled_by_database_returns_503(demo: Demo) -> None:
    assert _report(demo, "year").status_code == 503


def test_get_report_expired_session_is_refused(demo: Demo) -> None:
    demo.redis.scores["old"] = time.time() - 1
    headers = {"Authorization": "Bearer old"}
    assert demo.ask("GET", "/api/v1/reports", headers=headers).status_code == 401


def test_startup_creates_the_tables(demo: Demo) -> None:
    demo.ask("GET", "/healthz")
    created = [s for s in demo.pool.statements if s.startswith("CREATE TABLE")]
    assert len(created) == 4


def test_requests_return_their_connections(demo: Demo) -> None:
    demo.ask("GET", "/api/v1/anomalies")
    assert value("db_connections_in_use") == 0


def test_query_without_postgresql_returns_503(demo: Demo) -> None:
    demo.pool.away = True
    assert demo.ask("GET", "/api/v1/anomalies").status_code == 503


def test_get_patients_without_redis_uses_the_database(demo: Demo) -> None:
    demo.redis.away = True
    assert demo.ask("GET", "/api/v1/patients").status_code == 200


def test_login_without_redis_returns_503(demo: Demo) -> None:
    demo.redis.away = True
    assert demo.ask("POST", "/api/v1/auth/login", json=LOGIN).status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_backend_without_stores_serves(demo: Demo, path: str) -> None:
    demo.pool.away = demo.redis.away = True
    assert demo.ask("GET", path).status_code == 200


@pytest.mark.parametrize(("away", "status"), [(False, 200), (True, 503)])
def test_readiness_with_stores_is_ok(demo: Demo, away: bool, status: int) -> None:
    demo.pool.away = away
    assert demo.ask("GET", "/readyz").status_code == status
