"""Panels for what goes wrong seldom: flapping, hanging, filling up, half-blind exporters.

They stand at the foot of each dashboard, in bands of 9 rows with three panels each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import panels
from components.dashboards.panels import GridPos, PanelOptions, Query

Panels = Sequence[Builder[dashboard.Panel]]
HEIGHT: Final = 9
_WIDTH: Final = 8
_BAND: Final = 3
_NONE: Final = "None reported"


@dataclass(frozen=True)
class Lines:
    """A panel of lines: `queries` are pairs of expression and legend."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "none"
    empty: str = _NONE


def bands(y: int, *lines: Lines) -> Panels:
    """The panels, three in a band, the first band at row `y`."""
    return list(_placed(y, lines))


def _placed(y: int, lines: Sequence[Lines]) -> Iterator[timeseries.Panel]:
    for number, one in enumerate(lines):
        band, column = divmod(number, _BAND)
        grid_pos = GridPos(column * _WIDTH, y + band * HEIGHT, _WIDTH, HEIGHT)
        yield panels.timeseries(
            PanelOptions(one.title, one.description, grid_pos, one.unit, one.empty),
            *(Query(expr, legend) for expr, legend in one.queries),
            legend_calcs=("lastNotNull", "max"),
        )


def api(y: int, by_target: str, by_endpoint: str) -> Panels:
    """By instance: rate, errors, p95; what is stuck, the pool and file descriptors."""
    requests = f"sum by (instance) (rate(http_requests_total{by_endpoint}[$__rate_interval]))"
    errors = by_endpoint.replace("{", '{status=~"5..", ', 1)
    buckets = (
        f"sum by (instance, le) "
        f"(rate(http_request_duration_seconds_bucket{by_endpoint}[$__rate_interval]))"
    )
    return bands(
        y,
        Lines(
            "Requests by instance",
            "Requests a second that each backend answers. Bad: one that gets none, or one that "
            "has all.",
            ((requests, "{{instance}}"),),
            "reqps",
            "No backend reports",
        ),
        Lines(
            "Errors by instance",
            "The share of each backend's requests answered with a 5xx. One alone that fails is "
            "to be taken out.",
            (
                (
                    f"100 * sum by (instance) (rate(http_requests_total{errors}"
                    f"[$__rate_interval])) / ({requests} > 0)",
                    "{{instance}}",
                ),
            ),
            "percent",
            "No error",
        ),
        Lines(
            "Response Time p95 by instance",
            "The time within which each backend answers 95% of its requests. One that is slower "
            "than the others is faulty or overloaded.",
            ((f"histogram_quantile(0.95, {buckets}) >= 0", "{{instance}}"),),
            "s",
            "No request",
        ),
        Lines(
            "Requests stuck",
            "Requests in progress beyond those of the hour before. BackendHanging is critical "
            "when more than 10 do not complete.",
            (
                (
                    "max by (instance, endpoint) (clamp_min("
                    f"instance_endpoint:http_requests_stuck:count{by_endpoint}, 0))",
                    "{{endpoint}} · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Database Pool Used",
            "The share of each backend's database connections lent out, over 3 minutes. At 100% "
            "requests wait (DatabasePoolExhausted).",
            (
                (
                    f"max by (instance) (100 * instance:db_pool_used:ratio3m{by_target})",
                    "{{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Restarts and File Descriptors",
            "Times each backend went down or restarted within 15 minutes (BackendFlapping above "
            "2), and the share of its file descriptors that is open, in tens of percent.",
            (
                (
                    f"max by (instance) (instance:backend_outages:count15m{by_target})",
                    "outages · {{instance}}",
                ),
                (
                    f"10 * max by (instance) (process_open_fds{by_target} / "
                    f"process_max_fds{by_target})",
                    "descriptors · {{instance}}",
                ),
            ),
        ),
    )


def ecg(y: int, by_target: str) -> Panels:
    """Whether data arrive and are analysed."""
    return bands(
        y,
        Lines(
            "Age of the newest vital sign",
            "How long ago each backend processed its last vital sign. VitalSignsStale is critical "
            "above 2 minutes while patients are active.",
            (
                (
                    f"max by (instance) (instance:vital_sign_age:seconds{by_target})",
                    "{{instance}}",
                ),
            ),
            "s",
        ),
        Lines(
            "Failed analyses (5 minutes)",
            "ECG analyses and WebAssembly calls that failed within 5 minutes "
            "(ECGProcessingFailing above 5% of all).",
            (("sum by (job) (job:ecg_processing_failures:increase5m)", "{{job}}"),),
        ),
        Lines(
            "Analyses per patient",
            "ECG analyses a minute for each active patient. A fall to nothing: ECGAnalysisStopped.",
            (("60 * max by (job) (job:ecg_analyses_per_patient:rate3m)", "{{job}}"),),
            "suffix:/min",
        ),
    )
