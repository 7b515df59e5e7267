"""`python -m ops size`: validate the options and print the estimate."""

from __future__ import annotations

import json
import math

from components.common.quantities import duration_seconds
from components.settings.settings import (
    MAX_INTERVAL_SECONDS,
    MIN_INTERVAL_SECONDS,
    MIN_RETENTION_SECONDS,
)
from ops.errors import OpsError
from ops.size.current import current
from ops.size.demand import Demand, Load
from ops.size.options import Format
from ops.size.report import as_json, as_text

MOST = 1_000_000_000


def run(
    series: int,
    interval: str | None,
    retention: str | None,
    churn: float,
    sample_bytes: float,
    stack: str | None,
    format_: Format,
) -> str:
    """Return the output; an interval or retention of None is the stack's or the default.

    `churn` in percent of the series per hour. Raises OpsError.
    """
    now = current(stack)
    interval = now.interval if interval is None else interval
    retention = now.retention if retention is None else retention
    demand = Demand(load(series, interval, retention, churn, sample_bytes))
    if format_ is Format.JSON:
        return json.dumps(as_json(demand, now), indent=2) + "\n"
    return as_text(demand, now, interval, retention)


def load(series: int, interval: str, retention: str, churn: float, sample_bytes: float) -> Load:
    """Raises OpsError."""
    if series <= 0:
        raise OpsError(
            f"--series {series}: a Prometheus with no series needs no size; give 1 or more."
        )
    if series > MOST:
        raise OpsError(
            f"--series {series} is more than {MOST}, which no one Prometheus holds: split them "
            "first (docs/operations/scaling.md)."
        )
    if not (math.isfinite(churn) and 0 <= churn <= 10_000):
        raise OpsError(
            f"--churn {churn:g} is not from 0 to 10000, the percent of the series that are "
            "followed by new ones within an hour."
        )
    # A sample of a constant series takes some bits, and no value more than a double and its time.
    if not 0.1 <= sample_bytes <= 16:
        raise OpsError(
            f"--sample-bytes {sample_bytes:g} is not from 0.1 to 16, the bytes that a sample can "
            "take."
        )
    every = _seconds("--interval", interval)
    if every > MAX_INTERVAL_SECONDS:
        raise OpsError(
            f"--interval {interval} is longer than 2m: Prometheus forgets a series after 5m "
            "without a sample, so no stack takes one that is longer."
        )
    if every < MIN_INTERVAL_SECONDS:
        raise OpsError(
            f"--interval {interval} is shorter than 1s, the shortest that a stack takes."
        )
    kept = _seconds("--retention", retention)
    if kept < MIN_RETENTION_SECONDS:
        raise OpsError(
            f"--retention {retention} is shorter than 2h, the length of Prometheus' first block."
        )
    return Load(series, every, kept, churn / 100, sample_bytes)


def _seconds(option: str, text: str) -> float:
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise OpsError(f"{option} {text!r} {error}.") from None
