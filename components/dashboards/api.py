"""The API: load, latency and errors by endpoint, sessions and logins, the backend's processes."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import backend, faults, live_connections, overrides, panels, slo
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, steps, up_or_down

# Not the recorded series that the alerts read: those are summed over all instances.
_TARGET = 'job="backend", instance=~"$backend_instance"'
_BY_TARGET = f"{{{_TARGET}}}"
_ENDPOINTS = f'{_TARGET}, endpoint=~"$endpoint"'
_BY_ENDPOINT = f"{{{_ENDPOINTS}}}"
_RATE = "[$__rate_interval]"
_TABLE = ("lastNotNull", "max")

_QUIET = "No request"
_DOWN = "No backend reports"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """How the API answers, from all requests down to one endpoint and one process."""
    return DashboardSpec(
        stem="api",
        title="VitalStream API",
        description="How the API answers: load, latency and errors by endpoint.",
        variables=[
            Variable("backend_instance", "Instance", "instance:backend_up:min", "instance"),
            Variable("endpoint", "Endpoint", "endpoint:http_requests:rate5m", "endpoint"),
        ],
        panels=[
            *_stats(alerts),
            *_requests(alerts),
            *_latency(alerts),
            *slo.budget_panels(24, alerts),
            *backend.user_panels(33, alerts, _BY_TARGET),
            *backend.process_panels(42, _BY_TARGET),
            *live_connections.panels_at(51, _BY_TARGET),
            *faults.api(51 + live_connections.BANDS_HEIGHT, _BY_TARGET, _BY_ENDPOINT),
        ],
    )


def _rate(series: str, by: str = "", labels: str = _TARGET) -> str:
    return f"sum{by} (rate({series}{{{labels}}}{_RATE}))"


def _failing(by: str = "", labels: str = _TARGET) -> str:
    """The percentage of requests answered with a 5xx; 0 where none was."""
    requests = _rate("http_requests_total", by, labels)
    errors = _rate("http_requests_total", by, f'{labels}, status=~"5.."')
    return f"100 * ({errors} or 0 * {requests}) / ({requests} > 0)"


def _p95(by: str, labels: str = _TARGET) -> str:
    buckets = _rate("http_request_duration_seconds_bucket", f" by ({by})", labels)
    return f"histogram_quantile(0.95, {buckets}) >= 0"


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    failing, slow = alerts["HighErrorRate"], alerts["HighResponseTime"]
    return [
        panels.stat(
            PanelOptions(
                title="Backends Up",
                description="Whether every backend can be scraped. Red: one cannot (BackendDown).",
                grid_pos=GridPos(0, 0, 8, 3),
                unit="none",
                empty="No target in the job",
            ),
            Query(f"min(instance:backend_up:min{_BY_TARGET})", "backend"),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.UP_OR_DOWN),
        panels.stat(
            PanelOptions(
                title="Requests per Second",
                description="Requests a second. Bad: a fall to nothing (BackendNoTraffic).",
                grid_pos=GridPos(8, 0, 8, 3),
                unit="reqps",
                empty=panels.NO_REPORT,
            ),
            Query(_rate("http_requests_total"), "requests"),
        ),
        panels.stat(
            PanelOptions(
                title="Error Rate (5xx %)",
                description=(
                    "The share of requests that the backend failed to answer. HighErrorRate is "
                    f"critical where all instances are above {failing.value:g}% over 5 minutes."
                ),
                grid_pos=GridPos(16, 0, 8, 3),
                unit="percent",
                empty="No request",
            ),
            Query(_failing(), "5xx"),
            bound=steps(failing),
            missing="orange",
        ).decimals(2),
        panels.stat(
            PanelOptions(
                title="Response Time p95",
                description=(
                    "The time within which 95% of requests are answered. HighResponseTime warns "
                    f"where an endpoint is above {slow.value:g} s over 5 minutes."
                ),
                grid_pos=GridPos(0, 3, 8, 3),
                unit="s",
                empty="No request",
            ),
            Query(_p95("le"), "p95"),
            bound=steps(slow),
            missing="orange",
        ),
        panels.stat(
            PanelOptions(
                title="Requests in Progress",
                description=(
                    "Requests being answered now. Bad: steady growth, which means that they "
                    "arrive faster than they are answered."
                ),
                grid_pos=GridPos(8, 3, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query(f"sum(http_requests_in_progress{_BY_TARGET})", "in progress"),
        ),
        panels.stat(
            PanelOptions(
                title="Active Sessions",
                description=(
                    "Sessions of logged-in users now, over all backends. A sudden fall logs people "
                    "out."
                ),
                grid_pos=GridPos(16, 3, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query("sum(job:active_sessions:sum)", "sessions"),
        ),
    ]


def _requests(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    failing = alerts["HighErrorRate"]
    return [
        panels.timeseries(
            PanelOptions(
                title="Request Rate by endpoint",
                description="Requests a second by endpoint. Bad: a fall to nothing, or a flood.",
                grid_pos=GridPos(0, 6, 8, 9),
                unit="reqps",
                empty=_DOWN,
            ),
            Query(_rate("http_requests_total", " by (endpoint)", _ENDPOINTS), "{{endpoint}}"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Errors by endpoint",
                description=(
                    "The share of each endpoint's requests answered with a 5xx. The line: the "
                    f"{failing.value:g}% that HighErrorRate allows all together."
                ),
                grid_pos=GridPos(8, 6, 8, 9),
                unit="percent",
                empty=_QUIET,
            ),
            Query(_failing(" by (endpoint)", _ENDPOINTS), "{{endpoint}}"),
            bound=failing,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="In Progress by endpoint",
                description=(
                    "Requests being answered now, by endpoint. The one that grows is the one that "
                    "hangs."
                ),
                grid_pos=GridPos(16, 6, 8, 9),
                unit="none",
                empty=_DOWN,
            ),
            Query(f"sum by (endpoint) (http_requests_in_progress{_BY_ENDPOINT})", "{{endpoint}}"),
            legend_calcs=_TABLE,
        ).axis_soft_max(1),
    ]


def _latency(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    slow = alerts["HighResponseTime"]
    buckets = _rate("http_request_duration_seconds_bucket", " by (le)", _ENDPOINTS)
    return [
        panels.timeseries(
            PanelOptions(
                title="Response Time p95 by endpoint",
                description=(
                    "The time within which 95% of an endpoint's requests are answered. "
                    f"HighResponseTime warns above {slow.value:g} s, the dashed line."
                ),
                grid_pos=GridPos(0, 15, 8, 9),
                unit="s",
                empty=_QUIET,
            ),
            Query(_p95("endpoint, le", _ENDPOINTS), "{{endpoint}}"),
            bound=slow,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Response Time Percentiles",
                description=(
                    "Median, 95th and 99th percentile over the chosen endpoints. A p99 that leaves "
                    "the others behind means that a few requests hang; all three rising, that the "
                    "whole service is slow."
                ),
                grid_pos=GridPos(8, 15, 8, 9),
                unit="s",
                empty=_QUIET,
            ),
            *(
                Query(f"histogram_quantile({q}, {buckets}) >= 0", name)
                for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            legend_calcs=_TABLE,
        ),
        panels.heatmap(
            PanelOptions(
                title="Response Time Heatmap",
                description=(
                    "How many requests took how long. A second dark band above the first is a "
                    "group of requests that waits for something: a lock, a time-out, a retry."
                ),
                grid_pos=GridPos(16, 15, 8, 9),
                unit="s",
                empty=_QUIET,
            ),
            Query(buckets, "{{le}}"),
        ),
    ]
