"""What is seen of a Prometheus under load: its own figures, its queries, how late alerts are."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from docker.models.containers import Container

from benchmarks.load_exporter import Exporter
from benchmarks.load_pages import PROBE
from benchmarks.memory import without_file_cache
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus
from benchmarks.raw_expressions import expanded

ALERT = "LoadProbe"
ALERT_RULES = {"groups": [{"name": "load", "rules": [{"alert": ALERT, "expr": f"{PROBE} == 1"}]}]}
# Asked as they are and as what they are recorded from, for now and for the last minutes.
QUERIES = (
    "job:http_requests:rate5m",
    "endpoint:http_request_errors:ratio_rate5m",
    "endpoint:http_request_duration_seconds:p95_rate5m",
    "type:anomalies_detected:increase1h",
)
RANGE_SECONDS, RANGE_STEP = 120, 15
LOOK_SECONDS = 2.0
# A group is named by its file and its name in it.
_GROUP = re.compile(
    r'^prometheus_rule_group_last_duration_seconds\{rule_group="[^"]*;([^"]+)"\} (\S+)$', re.M
)
POLL_SECONDS = 0.1
# An alert that takes longer than this many scrapes and evaluations is not late: it is lost.
LOST_AFTER_INTERVALS = 10


@dataclass(frozen=True)
class Moment:
    """Prometheus' own figures at a time (monotonic), and its container's memory in bytes."""

    at: float
    own: Mapping[str, float]
    working_set: int
    groups: Mapping[str, float] = field(default_factory=dict)
    """Seconds of the last evaluation of each group of rules."""

    @property
    def resident(self) -> float:
        return self.own["process_resident_memory_bytes"]

    @property
    def head(self) -> int:
        return int(self.own["prometheus_tsdb_head_series"])

    @property
    def rules_seconds(self) -> float:
        """What the last evaluation of each group took, together."""
        return sum(self.groups.values())


class Watch:
    """Looks every 2 s, in a thread of its own, until it is left. What it sees is in `moments`."""

    def __init__(self, prometheus: Prometheus, container: Container) -> None:
        self.moments: list[Moment] = []
        self._prometheus, self._container = prometheus, container
        self._over = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._fault and kind is None:
            raise BenchmarkError(f"Prometheus could not be watched: {self._fault}")

    def _look(self) -> None:
        try:
            while not self._over.is_set():
                self.moments.append(look(self._prometheus, self._container))
                self._over.wait(LOOK_SECONDS)
        except Exception as error:
            self._fault = error


def look(prometheus: Prometheus, container: Container) -> Moment:
    own = prometheus.totals()
    stats: Any = container.stats(stream=False, one_shot=True)
    groups = {name: float(seconds) for name, seconds in _GROUP.findall(prometheus.get("/metrics"))}
    return Moment(time.monotonic(), own, without_file_cache(stats["memory_stats"]), groups)


def alert_delays(
    prometheus: Prometheus, exporter: Exporter, interval: float, until: float
) -> tuple[float, ...]:
    """Seconds from a change of the probe's value to its alert firing, over and over until then
    (monotonic). Raises BenchmarkError where one does not come.

    Changes fall anywhere between two scrapes: a pause of random length is before each.
    """
    random, delays = Random(0), []
    while time.monotonic() < until:
        time.sleep(random.uniform(0, interval))
        delays.append(_until(prometheus, exporter.set(1), interval, firing=True))
        _until(prometheus, exporter.set(0), interval, firing=False)
    return tuple(delays)


def _until(prometheus: Prometheus, changed: float, interval: float, *, firing: bool) -> float:
    most = LOST_AFTER_INTERVALS * 2 * interval
    while (waited := time.time() - changed) < most:
        if _fires(prometheus) == firing:
            return time.time() - changed
        time.sleep(POLL_SECONDS)
    word = "fire" if firing else "end"
    raise BenchmarkError(f"{ALERT} did not {word} within {waited:.0f} s of its cause")


def _fires(prometheus: Prometheus) -> bool:
    alerts = json.loads(prometheus.get("/api/v1/alerts"))["data"]["alerts"]
    return any(
        alert["labels"]["alertname"] == ALERT and alert["state"] == "firing" for alert in alerts
    )


@dataclass(frozen=True)
class Asked:
    """A round of all queries: seconds that Prometheus says they took, samples that they read."""

    seconds: float
    samples: int


def ask_both_ways(
    prometheus: Prometheus, rules: Mapping[str, str], rounds: int
) -> tuple[list[Asked], list[Asked]]:
    """QUERIES through their recorded series, and as raw expressions; round by round, in turns."""
    recorded, raw = [], []
    for _ in range(rounds):
        recorded.append(_ask(prometheus, QUERIES))
        raw.append(_ask(prometheus, [expanded(rules[name], rules) for name in QUERIES]))
    return recorded, raw


def _ask(prometheus: Prometheus, expressions: Sequence[str]) -> Asked:
    now = time.time()
    window = {"start": now - RANGE_SECONDS, "end": now, "step": RANGE_STEP}
    seconds, samples = 0.0, 0
    for expression in expressions:
        for path, when in (("query", {"time": now}), ("query_range", window)):
            found = prometheus.ask(f"/api/v1/{path}", query=expression, stats="all", **when)
            if not found["result"]:
                raise BenchmarkError(f"`{expression}` finds nothing")
            seconds += found["stats"]["timings"]["execTotalTime"]
            samples += found["stats"]["samples"]["totalQueryableSamples"]
    return Asked(seconds, samples)
