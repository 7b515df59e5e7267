"""The overview: are the patients' data flowing, and if not, where. One screen of 1920x1080."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import piechart, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard

from components.catalog.monitored import DEFAULT_MONITORED, Monitored
from components.dashboards import machines, overrides, panels
from components.dashboards.alert_strip import alert_list, alert_strip
from components.dashboards.frame import OVERVIEW, OVERVIEW_TITLE, DashboardSpec
from components.dashboards.links import Link
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold, colour_steps, up_or_down

_API = Link("api", "API: every endpoint")
_API_ENDPOINT = Link(
    "api", "API: this endpoint", "var-endpoint=${__field.labels.endpoint:percentencode}"
)
_ECG = Link("ecg", "ECG and anomalies")

_JUST_STARTED_SECONDS = 300


def spec(
    alerts: AlertThresholds,
    watch: Sequence[Monitored] = DEFAULT_MONITORED,
    names: Mapping[str, str] | None = None,
) -> DashboardSpec:
    """Patients and anomalies first, then the service, then the machines: of what is watched."""
    return DashboardSpec(
        stem=OVERVIEW,
        title=OVERVIEW_TITLE,
        description="Are the patients' data flowing, and if not, where does it hurt?",
        panels=[
            alert_strip(GridPos(0, 0, 14, 4)),
            alert_list(GridPos(14, 0, 10, 4), names or {}),
            *(_service(alerts) if "backend" in watch else ()),
            *machines.row(alerts, watch, y=19),
        ],
    )


def _service(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    return [
        _active_patients(),
        _anomalies(),
        _anomalies_by_type(),
        _uptime(),
        _request_rate(),
        _response_time(alerts["HighResponseTime"]),
        _error_rate(alerts["HighErrorRate"]),
        _endpoints(alerts["HighResponseTime"], alerts["HighErrorRate"]),
    ]


def _active_patients() -> stat.Panel:
    options = PanelOptions(
        title="Active Patients",
        description=(
            "Patients whose vital signs are being streamed now, over all backends. A sudden fall "
            "means that streams break off; zero means that no data flow at all."
        ),
        grid_pos=GridPos(0, 4, 5, 9),
        unit="none",
        empty="No backend reports",
        links=[_ECG],
    )
    return panels.stat(
        options,
        Query("sum(job:active_patients:sum)", "patients"),
        bound=up_or_down(),
    )


def _anomalies() -> stat.Panel:
    options = PanelOptions(
        title="Anomalies Detected (last hour)",
        description=(
            "ECG anomalies found in the last hour, over all backends. A jump is either patients "
            "in trouble or a detector gone wrong; zero for long with patients connected is "
            "suspicious too."
        ),
        grid_pos=GridPos(5, 4, 8, 4),
        unit="none",
        empty="None recorded",
        links=[_ECG],
    )
    query = Query("sum(job:anomalies_detected:increase1h)", "anomalies")
    return panels.stat(options, query, missing="text").decimals(0)


def _anomalies_by_type() -> piechart.Panel:
    options = PanelOptions(
        title="Anomaly Detection by Type",
        description=(
            "The last hour's ECG anomalies by type. One type that suddenly makes up nearly all "
            "of them points at a detector or a device rather than at patients."
        ),
        grid_pos=GridPos(0, 13, 9, 6),
        unit="none",
        empty="No anomaly in the last hour",
        links=[_ECG],
    )
    query = Query("sum by (anomaly_type) (type:anomalies_detected:increase1h)", "{{anomaly_type}}")
    panel = panels.pie(options, query).decimals(0)
    for name, colour in overrides.anomaly_colours().items():
        panel.override_by_regexp(name, colour)
    return panel


def _uptime() -> stat.Panel:
    options = PanelOptions(
        title="System Uptime",
        description=(
            "How long the application has run: the backend that started last counts. Orange is "
            f"less than {_JUST_STARTED_SECONDS // 60} minutes. Unless somebody deployed just now, "
            "a short time means that it crashed."
        ),
        grid_pos=GridPos(13, 4, 5, 4),
        unit="s",
        empty="No backend is up",
        links=[_API],
    )
    return panels.stat(
        options,
        Query("min(instance:backend_uptime_seconds:max)", "uptime"),
        bound=colour_steps(
            [
                dashboard.Threshold(value=None, color="orange"),
                dashboard.Threshold(value=_JUST_STARTED_SECONDS, color="green"),
            ]
        ),
        sparkline=False,
    ).decimals(1)


def _request_rate() -> timeseries.Panel:
    options = PanelOptions(
        title="Request Rate by status code",
        description=(
            "Requests a second by HTTP status, averaged over 5 minutes, stacked. Bad: red (5xx), "
            "a growing orange share (4xx), or a fall to nothing."
        ),
        grid_pos=GridPos(5, 8, 9, 5),
        unit="reqps",
        empty="No request in the last 5 minutes",
        links=[_API],
    )
    query = Query("sum by (status) (status:http_requests:rate5m)", "{{status}}")
    return overrides.coloured_by_status(panels.timeseries(options, query, stacked=True))


def _response_time(bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="Response Time p95 by endpoint",
        description=(
            "The time within which 95% of an endpoint's requests are answered, over 5 minutes. "
            f"HighResponseTime warns above {bound.value:g} s, the dashed line."
        ),
        grid_pos=GridPos(14, 8, 10, 5),
        unit="s",
        empty="No request in the last 5 minutes",
        links=[_API_ENDPOINT],
    )
    query = Query(
        "max by (endpoint) (endpoint:http_request_duration_seconds:p95_rate5m)", "{{endpoint}}"
    )
    return panels.timeseries(options, query, bound=bound)


def _error_rate(bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="Error Rate (5xx %)",
        description=(
            "The share of requests that the backend failed to answer (5xx), over 5 minutes. "
            f"HighErrorRate is critical above {bound.value:g}%, the dashed line."
        ),
        grid_pos=GridPos(18, 4, 6, 4),
        unit="percent",
        empty="No request in the last 5 minutes",
        links=[_API],
    )
    query = Query("max by (job) (100 * job:http_request_errors:ratio_rate5m)", "{{job}}")
    # Below the lines, the legend would take half of their height.
    right = common.LegendPlacement.RIGHT
    return panels.timeseries(options, query, bound=bound, legend_placement=right)


def _endpoints(slow: Threshold, failing: Threshold) -> table.Panel:
    options = PanelOptions(
        title="API Endpoint Performance",
        description=(
            "Each endpoint over the last 5 minutes: requests a second, 95th percentile of the "
            f"response time (coloured above {slow.value:g} s) and share of 5xx answers (coloured "
            f"above {failing.value:g}%). The busiest stands first."
        ),
        grid_pos=GridPos(9, 13, 15, 6),
        unit="none",
        empty="No request in the last 5 minutes",
        links=[_API],
    )
    panel = panels.table(
        options,
        Query("sum by (endpoint) (endpoint:http_requests:rate5m)", "Rate"),
        Query("max by (endpoint) (endpoint:http_request_duration_seconds:p95_rate5m)", "p95"),
        Query("max by (endpoint) (100 * endpoint:http_request_errors:ratio_rate5m)", "Errors"),
        keys={"endpoint": "Endpoint"},
        sort_by="Rate",
    )
    # Two digits: more would be cut off in the column.
    rate = [*overrides.column("reqps", width=85), dashboard.DynamicConfigValue("decimals", 2)]
    row_link = Link("api", "API: this endpoint", "var-endpoint=${__value.raw:percentencode}")
    return (
        panel.override_by_name("Endpoint", [overrides.data_link(row_link), *overrides.wide(100)])
        .override_by_name("Rate", rate)
        .override_by_name("p95", overrides.column("s", slow, width=70))
        .override_by_name("Errors", overrides.column("percent", failing, width=65))
    )
