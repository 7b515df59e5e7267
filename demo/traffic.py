"""Steady traffic for the demo's backend, that moves every one of its metrics.

    python -m demo.traffic --target http://backend:8000

About eight requests a second: mostly good ones, a few 4xx, and a report now and then that takes
longer than the database allows (503), far below the 5 % of HighErrorRate. The ward fills and
empties over ten minutes. It begins when the backend has its stores, so that a start raises no
alert, with one request of each kind, so that no panel waits for one.
"""

import argparse
import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from demo import ecg
from demo.settings import DEMO_LOGIN, DEMO_USERS, PATIENTS

RECORDINGS_PER_RHYTHM = 6
MAX_IN_FLIGHT = 30
WARD_SECONDS = 600.0
SUMMARY_SECONDS = 60.0
READY_SECONDS = 60.0

_log = logging.getLogger("traffic")


class Traffic:
    """Simulated clinicians and monitors; each method is one request."""

    def __init__(self, client: httpx.AsyncClient, rng: Random) -> None:
        self.client = client
        self.rng = rng
        self.answers: Counter[str] = Counter()
        self._token = ""
        self._start = time.monotonic()
        self._recordings = {
            rhythm: [ecg.synthesise(rhythm, rng) for _ in range(RECORDINGS_PER_RHYTHM)]
            for rhythm in ecg.RHYTHMS
        }

    def patient(self) -> int:
        """Pick a bed in use: between half of them and all, over ten minutes."""
        phase = math.sin(2 * math.pi * (time.monotonic() - self._start) / WARD_SECONDS)
        return self.rng.randint(1, round(PATIENTS * (0.75 + 0.25 * phase)))

    async def _request(self, method: str, path: str, **options: object) -> httpx.Response | None:
        try:
            response = await self.client.request(method, path, **options)  # type: ignore[arg-type]
        except httpx.HTTPError:
            self.answers["no answer"] += 1
            return None
        self.answers[f"{response.status_code // 100}xx"] += 1
        return response

    async def _send_recording(self, rhythm: str) -> None:
        body = {"samples": self.rng.choice(self._recordings[rhythm])}
        await self._request("POST", f"/api/v1/patients/{self.patient()}/vitals", json=body)

    async def normal_recording(self) -> None:
        await self._send_recording("normal")

    async def abnormal_recording(self) -> None:
        rhythms = ecg.RHYTHMS[1:]
        await self._send_recording(self.rng.choices(rhythms, (8, 8, 5, 6, 2, 1))[0])

    async def malformed_recording(self) -> None:
        await self._request("POST", "/api/v1/patients/1/vitals", json={"samples": []})

    async def list_patients(self) -> None:
        await self._request("GET", "/api/v1/patients")

    async def read_vitals(self) -> None:
        await self._request("GET", f"/api/v1/patients/{self.patient()}/vitals")

    async def unknown_patient(self) -> None:
        await self._request("GET", f"/api/v1/patients/{PATIENTS + 1}/vitals")

    async def list_anomalies(self) -> None:
        await self._request("GET", "/api/v1/anomalies", params={"limit": 50})

    async def _login(self, password: str) -> httpx.Response | None:
        body = {"username": self.rng.choice(DEMO_USERS), "password": password}
        return await self._request("POST", "/api/v1/auth/login", json=body)

    async def log_in(self) -> None:
        response = await self._login(DEMO_LOGIN)
        if response is not None and response.is_success:
            self._token = response.json()["token"]

    async def mistyped_login(self) -> None:
        await self._login("mistyped")

    async def report(self, period: str = "hour") -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        params = {"period": period}
        await self._request("GET", "/api/v1/reports", headers=headers, params=params)

    async def endless_report(self) -> None:
        await self.report(period="year")

    async def report_without_session(self) -> None:
        await self._request("GET", "/api/v1/reports")


class Action(NamedTuple):
    """Kind of request, and its weight among all kinds."""

    weight: float
    act: Callable[[Traffic], Coroutine[Any, Any, None]]


PLAN = (
    Action(24, Traffic.normal_recording),
    Action(8, Traffic.abnormal_recording),
    Action(22, Traffic.list_patients),
    Action(22, Traffic.read_vitals),
    Action(11, Traffic.list_anomalies),
    Action(4, Traffic.log_in),
    Action(5, Traffic.report),
    Action(1.2, Traffic.mistyped_login),
    Action(1, Traffic.unknown_patient),
    Action(0.8, Traffic.malformed_recording),
    Action(0.9, Traffic.report_without_session),
    Action(0.1, Traffic.endless_report),
)
"""Actions in an order that works when each runs once: log in before a report."""


@dataclass(frozen=True)
class Options:
    """Command line options: request rate, and a heartbeat file."""

    target: str
    rate: float
    seed: int | None
    heartbeat: Path | None


async def wait_until_ready(
    client: httpx.AsyncClient, stop: asyncio.Event, heartbeat: Path | None = None
) -> bool:
    """Return whether the backend connected to its stores within `READY_SECONDS`."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        _beat(heartbeat)
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get("/readyz")).is_success:
                return True
        await _pause(stop, 0.5)
    return False


def _beat(heartbeat: Path | None) -> None:
    if heartbeat:
        heartbeat.touch()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def run(traffic: Traffic, options: Options, stop: asyncio.Event) -> None:
    """Run every action once, then at `options.rate` until `stop`; slow answers do not pile up."""
    for action in PLAN:
        await action.act(traffic)
    weights = [action.weight for action in PLAN]
    in_flight: set[asyncio.Task[None]] = set()
    summary = time.monotonic() + SUMMARY_SECONDS
    while not stop.is_set():
        if len(in_flight) < MAX_IN_FLIGHT:
            action = traffic.rng.choices(PLAN, weights)[0]
            task = asyncio.create_task(action.act(traffic))
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
        if time.monotonic() >= summary:
            summary += SUMMARY_SECONDS
            _log.info("answers so far: %s", dict(sorted(traffic.answers.items())))
        _beat(options.heartbeat)
        await _pause(stop, traffic.rng.uniform(0.5, 1.5) / options.rate)
    await asyncio.gather(*in_flight)


def parse(arguments: Sequence[str]) -> Options:
    """Parse the command line, with `DEMO_TARGET` and `DEMO_HEARTBEAT` as defaults."""
    parser = argparse.ArgumentParser(prog="python -m demo.traffic", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    target = os.environ.get("DEMO_TARGET", "http://backend:8000")
    heartbeat = os.environ.get("DEMO_HEARTBEAT")
    parser.add_argument("--target", default=target, help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=8.0, help="requests a second")
    parser.add_argument("--seed", type=int, help="for the same traffic every time")
    parser.add_argument("--heartbeat", type=Path, default=heartbeat, help="file to touch")
    found = parser.parse_args(arguments)
    if not 0 < found.rate <= 100:
        parser.error("--rate must be above 0 and at most 100 requests a second")
    file = Path(found.heartbeat) if found.heartbeat else None
    return Options(found.target, found.rate, found.seed, file)


async def main(options: Options) -> None:
    """Traffic until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # As PID 1 of a container, Python would ignore SIGTERM.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with httpx.AsyncClient(base_url=options.target, timeout=15.0) as client:
        if not await wait_until_ready(client, stop, options.heartbeat):
            _log.warning("%s has not got its stores: making requests all the same", options.target)
        await run(Traffic(client, Random(options.seed)), options, stop)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(main(parse(sys.argv[1:])))
