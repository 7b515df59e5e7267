"""The backend that every server runs: requests, a stream, a WebSocket, a pool of connections."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from starlette.routing import Route

from app.metrics import (
    MetricsMiddleware,
    metrics_app,
    record_anomaly,
    set_db_connections,
    track_request_metrics,
    update_active_patients,
)

POOL = 10


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    set_db_connections(3, POOL)
    update_active_patients(4)
    yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(MetricsMiddleware)
app.routes.append(Route("/metrics", metrics_app))


@app.get("/patients/{patient_id}")
async def get_patient(patient_id: int) -> int:
    record_anomaly(anomaly_type="bradycardia", severity="high")
    return os.getpid()


@app.get("/slow")
@track_request_metrics("/slow")
async def slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


@app.get("/events")
async def events(broken: bool = False) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        for _ in range(3 if broken else 1000):
            yield "data: 1\n\n"
            await asyncio.sleep(0.05)
        raise RuntimeError("the sensor is gone")

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.websocket("/ws")
@track_request_metrics("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text(await websocket.receive_text())
