"""Traffic below which an alert on a share of requests stays silent: the override `minimumRate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from components.common.problems import Problem


@dataclass(frozen=True)
class Traffic:
    """Requests per second that an alert is about, and the labels that both have.

    `floor` is what the rules ask for without the override.
    """

    rate: str
    labels: str = "job"
    floor: float = 0

    def condition(self, least: str) -> str:
        return f"and on ({self.labels}) {self.rate} >= {least}"


_ENDPOINT: Final = Traffic("endpoint:http_requests:rate5m", "job, endpoint")
_MEASURED: Final = (
    'sum by (job, endpoint) (rate(http_request_duration_seconds_count{job="backend"}[5m]))'
)


def _burn(rate: str, window: str) -> Traffic:
    # `slo:traffic_floor:rate` of rules/slo.yml.
    return Traffic(f"avg_over_time({rate}[{window}])", floor=0.2)


TRAFFIC: Final[Mapping[str, Traffic]] = {
    "HighErrorRate": Traffic("job:http_requests:rate5m"),
    "HighResponseTime": Traffic(_MEASURED, "job, endpoint"),
    "EndpointFailing": _ENDPOINT,
    "EndpointErrorsHigh": _ENDPOINT,
    "AvailabilityBudgetBurnFast": _burn("job:http_requests:rate5m", "1h"),
    "AvailabilityBudgetBurnSlow": _burn("job:http_requests:rate5m", "3d"),
    "LatencyBudgetBurnFast": _burn("job:http_requests_measured:rate5m", "1h"),
    "LatencyBudgetBurnSlow": _burn("job:http_requests_measured:rate5m", "3d"),
}
"""The alerts on a share of requests, by name."""


def problems(alert: str, least: float) -> Iterator[Problem]:
    """Yield what is wrong with a floor for an alert."""
    path = (alert, "minimumRate")
    traffic = TRAFFIC.get(alert)
    if traffic is None:
        known = ", ".join(TRAFFIC)
        text = f"is unknown here: {alert} is not about a share of requests; those that are: {known}"
        yield Problem(path, text, remove=True)
    elif least <= traffic.floor:
        text = f"changes nothing: {alert} needs more than {traffic.floor:g} a second anyway"
        yield Problem(path, text, fix=f"set it higher, or take it out of alerts.{alert}")
