"""The demo's backend: invented patients behind the same endpoints and metrics as VitalStream's.

    uvicorn demo.backend:app --port 8000

It starts, and answers `/metrics` and `/healthz`, without PostgreSQL and Redis; what needs them
says 503 until they are there, and so does `/readyz`. `demo.settings` has the environment variables.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.routing import Route

from app.metrics import (
    MetricsMiddleware,
    initialise_labels,
    metrics_app,
    record_anomaly,
    record_auth_attempt,
    record_vital_sign,
    track_ecg_processing,
    track_request_metrics,
    track_wasm_execution,
    update_active_patients,
)
from demo import ecg
from demo.faults import Fault, Faults
from demo.settings import DEMO_LOGIN, DEMO_USERS, PATIENTS, Settings
from demo.stores import (
    SESSION_SECONDS,
    Cache,
    Database,
    Row,
    StoreAwayError,
    postgres_pool,
    redis_client,
)

MAINTENANCE_SECONDS = 5.0
ACTIVE_SECONDS = 60.0
"""Time for which a patient counts as active after a recording."""

_log = logging.getLogger("uvicorn.error")


class Recording(BaseModel):
    """An ECG recording, in millivolts."""

    samples: Annotated[list[float], Field(min_length=250, max_length=10_000)]
    sampling_rate: Annotated[int, Field(ge=50, le=1000)] = ecg.SAMPLING_RATE


class Credentials(BaseModel):
    """Login of a clinician."""

    username: str
    password: str


class Ward:
    """State of the backend: its stores and the patients with a recent recording."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self.database = database
        self.cache = cache
        self.away: str | None = "not asked yet"
        self._seen: dict[int, float] = {}

    def saw(self, patient_id: int) -> None:
        self._seen[patient_id] = time.monotonic()
        self.count_active()

    def count_active(self) -> None:
        since = time.monotonic() - ACTIVE_SECONDS
        update_active_patients(sum(seen > since for seen in self._seen.values()))

    async def maintain(self) -> None:
        """Tables, old rows and gauges, every few seconds, whatever is away."""
        while True:
            away: str | None = None
            self.count_active()
            for store in (self.database, self.cache):
                try:
                    await store.maintain()
                except StoreAwayError as error:
                    away = str(error)
            if away != self.away:
                _log.warning("%s", away or "PostgreSQL and Redis are there")
                self.away = away
            await asyncio.sleep(1.0 if away else MAINTENANCE_SECONDS)


def _ward(request: Request) -> Ward:
    ward: Ward = request.app.state.ward
    return ward


OfWard = Annotated[Ward, Depends(_ward)]


async def _session(ward: OfWard, authorization: Annotated[str, Header()] = "") -> None:
    token = authorization.removeprefix("Bearer ")
    if not token or not await ward.cache.has_session(token):
        raise HTTPException(401, "log in first")


def _patient(patient_id: int) -> int:
    if not 1 <= patient_id <= PATIENTS:
        raise HTTPException(404, "no such patient")
    return patient_id


api = APIRouter(prefix="/api/v1")


@api.get("/patients")
@track_request_metrics("/api/v1/patients")
async def get_patients(ward: OfWard) -> list[Row]:
    kept = await ward.cache.look_up("patients", "all")
    if kept is not None:
        rows: list[Row] = json.loads(kept)
        return rows
    rows = await ward.database.query("select", "SELECT id, bed FROM patients ORDER BY id")
    await ward.cache.keep("patients", "all", json.dumps(rows), 5)
    return rows


@api.get("/patients/{patient_id}/vitals")
@track_request_metrics("/api/v1/patients/{id}/vitals")
async def get_vitals(patient_id: int, ward: OfWard) -> Row:
    _patient(patient_id)
    kept = await ward.cache.look_up("vitals", str(patient_id))
    if kept is not None:
        latest: Row = json.loads(kept)
        return latest
    rows = await ward.database.query(
        "select",
        "SELECT heart_rate FROM vitals WHERE patient_id = %s ORDER BY recorded_at DESC LIMIT 1",
        (patient_id,),
    )
    latest = rows[0] if rows else {"heart_rate": None}
    await ward.cache.keep("vitals", str(patient_id), json.dumps(latest), 20)
    return latest


@track_ecg_processing()
def _process(recording: Recording) -> ecg.Analysis:
    with track_wasm_execution():
        smoothed = ecg.smooth(recording.samples)
    return ecg.analyse(smoothed, recording.sampling_rate)


@api.post("/patients/{patient_id}/vitals", status_code=201)
@track_request_metrics("/api/v1/patients/{id}/vitals")
async def post_vitals(patient_id: int, recording: Recording, ward: OfWard) -> ecg.Analysis:
    _patient(patient_id)
    analysis = _process(recording)
    await ward.database.query(
        "insert",
        "INSERT INTO vitals (patient_id, heart_rate) VALUES (%s, %s)",
        (patient_id, analysis.heart_rate),
    )
    for anomaly in analysis.anomalies:
        record_anomaly(anomaly.anomaly_type, anomaly.severity)
        await ward.database.query(
            "insert",
            "INSERT INTO anomalies (patient_id, anomaly_type, severity) VALUES (%s, %s, %s)",
            (patient_id, anomaly.anomaly_type, anomaly.severity),
        )
    latest = json.dumps({"heart_rate": analysis.heart_rate})
    await ward.cache.keep("vitals", str(patient_id), latest, 20)
    ward.saw(patient_id)
    record_vital_sign()
    return analysis


@api.get("/anomalies")
@track_request_metrics("/api/v1/anomalies")
async def get_anomalies(ward: OfWard, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> list[Row]:
    return await ward.database.query(
        "select",
        "SELECT patient_id, anomaly_type, severity, found_at::text FROM anomalies"
        " ORDER BY id DESC LIMIT %s",
        (limit,),
    )


@api.post("/auth/login")
@track_request_metrics("/api/v1/auth/login")
async def login(credentials: Credentials, ward: OfWard) -> dict[str, Any]:
    known = credentials.username in DEMO_USERS
    if not hmac.compare_digest(credentials.password.encode(), DEMO_LOGIN.encode()) or not known:
        record_auth_attempt("failure")
        raise HTTPException(401, "unknown user or wrong password")
    token = secrets.token_urlsafe(16)
    await ward.cache.add_session(token)
    await ward.database.query(
        "update",
        "UPDATE clinicians SET last_login = now() WHERE name = %s",
        (credentials.username,),
    )
    record_auth_attempt("success")
    return {"token": token, "expires_in": SESSION_SECONDS}


@api.get("/reports", dependencies=[Depends(_session)])
@track_request_metrics("/api/v1/reports")
async def get_reports(ward: OfWard, period: str = "hour") -> list[Row]:
    # The sleep simulates a table that has grown; a year of it exceeds the statement timeout.
    seconds = 1.0 if period == "year" else 0.12
    return await ward.database.query(
        "report",
        "WITH grown AS MATERIALIZED (SELECT pg_sleep(%s))"
        " SELECT anomaly_type, count(*) AS anomalies, count(DISTINCT patient_id) AS patients"
        " FROM grown, anomalies GROUP BY anomaly_type",
        (seconds,),
    )


async def _store_away(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)


def create_app(
    settings: Settings, database: Database | None = None, cache: Cache | None = None
) -> FastAPI:
    """Create the backend; tests pass stores that replace PostgreSQL and Redis."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ward = Ward(
            database or Database(postgres_pool(settings)), cache or Cache(redis_client(settings))
        )
        app.state.ward = ward
        maintenance = asyncio.create_task(ward.maintain())
        yield
        maintenance.cancel()
        await ward.database.close()
        await ward.cache.close()

    app = FastAPI(title="VitalStream demo backend", lifespan=lifespan)
    faults = Faults()
    app.include_router(api, dependencies=[Depends(faults)] if settings.faults else [])
    app.add_exception_handler(StoreAwayError, _store_away)
    app.routes.append(Route("/metrics", metrics_app))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "serving"}

    @app.get("/readyz")
    async def readyz(ward: OfWard) -> JSONResponse:
        status = 503 if ward.away else 200
        return JSONResponse({"away": ward.away}, status_code=status)

    if settings.faults:

        @app.post("/demo/fault")
        async def fault(fault: Fault) -> Fault:
            faults.inject(fault)
            return fault

    # Their many successes would hide failures in the error rate.
    app.add_middleware(MetricsMiddleware, exclude=["/healthz", "/readyz"])
    return app


initialise_labels(query_types=("report",))
app = create_app(Settings.from_env(os.environ))
