"""What the load test scrapes: pages like the backend's, with as many series as asked for.

A page is made of wards of 100 series each, under names that the stack's own rules read. Each ward
has a template, so that a page of 50,000 series takes milliseconds to write.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from app.metrics import ANOMALY_TYPES, SEVERITIES
from app.series import DURATION_BUCKETS

WARD_SERIES = 100
PROBE = "load_probe"
# Routes of an API; a ward's requests go to three of them.
ENDPOINTS = tuple(
    f"/api/v1/{noun}{path}"
    for noun in ("patients", "vitals", "ecg", "devices", "alarms", "sessions", "orders", "reports")
    for path in ("", "/{id}", "/{id}/history", "/search", "/export")
)
ENDPOINTS_A_WARD = 3
STATUSES = ("200", "404", "500")
WORKERS = 4
# So many ways in which a ward's values move from one scrape to the next; in two of three it rests.
MOVES = 96
_DECIMALS = b" %.2f"
_WHOLE = b" %d"

Number = int | float


@dataclass(frozen=True)
class Column:
    """A series of every ward: its name and labels without the ward's, and how its value moves."""

    name: str
    labels: str
    kind: str

    def line(self, ward: str) -> bytes:
        text = f'{self.name}{{ward="{ward}"{self.labels}}}'.encode()
        return text.replace(b"%", b"%%") + (_DECIMALS if self.kind == "seconds" else _WHOLE)


def columns(endpoints: Sequence[str]) -> list[Column]:
    """The 100 series of a ward whose requests go to those endpoints."""
    found = []
    bounds = [*(f"{bound:g}" for bound in DURATION_BUCKETS), "+Inf"]
    for endpoint in endpoints:
        route = f',method="GET",endpoint="{endpoint}"'
        found += [
            Column("http_request_duration_seconds_bucket", f'{route},le="{bound}"', "bucket")
            for bound in bounds
        ]
        found.append(Column("http_request_duration_seconds_count", route, "count"))
        found += [
            Column("http_requests_total", f'{route},status="{status}"', f"status {status}")
            for status in STATUSES
        ]
    found += [
        Column(
            "anomalies_detected_total", f',anomaly_type="{kind}",severity="{severity}"', "anomaly"
        )
        for kind in ANOMALY_TYPES
        for severity in SEVERITIES
    ]
    for worker in range(WORKERS):
        found.append(Column("process_resident_memory_bytes", f',worker="{worker}"', "bytes"))
        found.append(Column("process_cpu_seconds_total", f',worker="{worker}"', "seconds"))
    found.append(Column("active_patients_total", "", "gauge"))
    # The rest of the hundred are modes of cores, which move like process_cpu_seconds_total.
    spare = WARD_SERIES - len(found)
    if spare < 0:
        raise AssertionError(f"a ward has {len(found)} series")
    found += [
        Column("node_cpu_seconds_total", f',cpu="{number // 4}",mode="m{number % 4}"', "seconds")
        for number in range(spare)
    ]
    return found


def moves(layout: Sequence[Column], random: Random) -> list[list[Number]]:
    """What may be added to a ward's values: requests in their buckets, a few anomalies, seconds."""
    found: list[list[Number]] = []
    for turn in range(MOVES):
        if turn % 3:
            found.append([0] * len(layout))
            continue
        added: list[Number] = []
        bucket = 0
        for column in layout:
            match column.kind:
                case "bucket":
                    # Cumulative: each bound counts what the bounds below it count, and more.
                    bucket += random.choice((0, 0, 1, 2, 4))
                    added.append(bucket)
                case "count":
                    added.append(bucket)
                case "status 200":
                    added.append(max(bucket - 1, 0))
                    bucket = 0
                case "status 404" | "anomaly":
                    added.append(int(random.random() < 0.1))
                case "status 500":
                    added.append(int(random.random() < 0.02))
                case "bytes":
                    added.append(4096 * random.randint(-50, 52))
                case "seconds":
                    added.append(round(random.uniform(0, 4), 2))
                case _:
                    added.append(random.randint(-1, 1))
        found.append(added)
    return found


_START = {"bytes": 150_000_000, "gauge": 40}


@dataclass
class Ward:
    """Its template and the values that go into it."""

    template: bytes
    values: list[Number]

    @classmethod
    def named(cls, ward: str, layout: Sequence[Column]) -> Ward:
        lines = [column.line(ward) for column in layout]
        return cls(b"\n".join(lines) + b"\n", [_START.get(column.kind, 0) for column in layout])

    def text(self, added: Sequence[Number]) -> bytes:
        self.values = [value + more for value, more in zip(self.values, added, strict=True)]
        return self.template % tuple(self.values)


@dataclass
class Page:
    """One target's page: `series` of them, of which `churn` (a share) are new after each minute.

    The first target's page has the probe in the place of its last series.
    """

    target: int
    series: int
    churn: float
    random: Random
    wards: list[Ward] = field(default_factory=list)
    replaced: int = 0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.series % WARD_SERIES or self.series <= 0:
            raise ValueError(f"{self.series} series are no whole number of wards")
        self.layouts = [
            columns([ENDPOINTS[(first + k) % len(ENDPOINTS)] for k in range(ENDPOINTS_A_WARD)])
            for first in range(0, len(ENDPOINTS), ENDPOINTS_A_WARD)
        ]
        self.moves = moves(self.layouts[0], self.random)
        self.wards = [self._ward(number) for number in range(self.series // WARD_SERIES)]

    def text(self, probe: int) -> bytes:
        """The page of this moment; each reading moves the values on."""
        self._churn(time.monotonic() - self.started)
        choose = self.random.choices(self.moves, k=len(self.wards))
        text = b"".join(ward.text(added) for ward, added in zip(self.wards, choose, strict=True))
        if self.target == 0:
            last = text.rindex(b"\n", 0, -1) + 1
            text = text[:last] + f"{PROBE} {probe}\n".encode()
        return text

    def _churn(self, seconds: float) -> None:
        due = int(seconds / 60 * self.churn * len(self.wards))
        while self.replaced < due:
            number = self.replaced
            self.wards[number % len(self.wards)] = self._ward(len(self.wards) + number)
            self.replaced += 1

    def _ward(self, number: int) -> Ward:
        """Numbers go on where the first wards end: each is a name that was never there."""
        return Ward.named(f"ward-{self.target}-{number}", self.layouts[number % len(self.layouts)])
