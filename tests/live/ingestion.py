"""Samples of a stack's services in Prometheus, before and after a fault."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import requests

from tests.live.stack import SCRAPE_SECONDS, Stack

BEATING = 'ALERTS{alertname="Watchdog"}'
JOBS = {
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana": "grafana",
    "node-exporter": "node",
    "postgres-exporter": "postgres",
    "redis-exporter": "redis",
}


def gap(stack: Stack, expr: str, since: float) -> float:
    """Return the longest time without a sample of `expr` since `since`, in seconds."""
    window = {"start": since, "end": time.time(), "step": "1s"}
    # A look-back of the one second that a step is: what is drawn was really there.
    found = stack.ask("query_range", query=f"count_over_time({expr}[1s])", **window)["result"]
    stamps = sorted(stamp for series in found for stamp, _ in series["values"])
    times = [since, *stamps, window["end"]]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def scraped_until(stack: Stack, moment: float) -> dict[str, str]:
    """Return the samples of each target until two scrapes before `moment`, all complete."""
    past = f"count_over_time(up[1h] @ {moment - 2 * SCRAPE_SECONDS:.3f})"
    return {str(found["metric"]): found["value"][1] for found in stack.query(past)}


def answering(stack: Stack, service: str, since: float = 0) -> Callable[[], bool]:
    """Return a function that checks for a successful scrape of the service since a moment."""
    scraped = f'timestamp(up{{job="{JOBS[service]}"}} == 1) > {since:.3f}'

    def ask() -> bool:
        try:
            return bool(stack.query(scraped))
        except (requests.RequestException, AssertionError):
            return False

    return ask
