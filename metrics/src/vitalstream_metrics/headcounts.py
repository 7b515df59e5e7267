"""Gauges of people: how they add up over workers and instances."""

from typing import Literal

from prometheus_client import Gauge

from vitalstream_metrics.registry import REGISTRY
from vitalstream_metrics.workers import is_shared

Scope = Literal["worker", "ward"]
"""Scope of a count. `worker`: this process alone; workers and instances are added up.
`ward`: the whole ward, whoever counts it; of the workers' counts the latest is taken, of the
instances' the highest."""

WARD_SUFFIX = "_of_ward"

WHOLE_WARD = Gauge(
    "metrics_counts_whole_ward",
    "1 if a metric counts the whole ward: take the highest of all instances, not their sum.",
    ["metric"],
    multiprocess_mode="max",
    registry=REGISTRY,
)


class Headcount:
    """A gauge of people, counted by each worker for itself or for the whole ward."""

    def __init__(self, name: str, documentation: str) -> None:
        self._gauge = Gauge(name, documentation, multiprocess_mode="livesum", registry=REGISTRY)
        self._counts_ward = WHOLE_WARD.labels(name)
        # Only the workers' files have it; a scrape shows it under the gauge's own name.
        self._of_ward = (
            Gauge(name + WARD_SUFFIX, documentation, multiprocess_mode="mostrecent", registry=None)
            if is_shared()
            else self._gauge
        )

    def set(self, count: float, scope: Scope) -> None:
        """Set the count. Raises ValueError for an unknown scope."""
        if scope == "worker":
            self._gauge.set(count)
        elif scope == "ward":
            self._of_ward.set(count)
            self._counts_ward.set(1)
        else:
            raise ValueError(f"scope is {scope!r}. fix: write scope='worker' or scope='ward'")
