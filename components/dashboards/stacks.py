"""All stacks of a federation at a glance: one row each, and the lines of each beside the others'.

On recorded series alone, which is all that arrives of a stack.
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import overrides, panels
from components.dashboards.alert_strip import alert_list, alert_strip
from components.dashboards.frame import STACKS, STACKS_TITLE, DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold, colour_steps, up_or_down

_SOURCES = 'up{job="federate", stack=~"$stack"}'
# A stack's own series have no such label where they are stored.
_IN = '{stack=~"$stack", stack!=""}'
# Of a column in pixels, so that all of them are in view on a phone.
_LEAST_WIDTH = 47


def spec(alerts: AlertThresholds, names: Mapping[str, str]) -> DashboardSpec:
    """Which stack is in trouble; what of it, its own dashboards say."""
    return DashboardSpec(
        stem=STACKS,
        title=STACKS_TITLE,
        description=(
            "The stacks whose recorded series are federated here: which one is in trouble? Their "
            "alerts are raised and shown by each stack itself; the ones here are this stack's own."
        ),
        variables=[Variable("stack", "Stack", 'up{job="federate"}', "stack")],
        of_all_stacks=True,
        panels=[
            alert_strip(GridPos(0, 0, 14, 4)),
            alert_list(GridPos(14, 0, 10, 4), names),
            _silent(),
            _patients(),
            _stacks(alerts["HighErrorRate"], alerts["HighResponseTime"]),
            *_service(alerts),
            *_machines(alerts),
        ],
    )


def _silent() -> stat.Panel:
    options = PanelOptions(
        title="Stacks Not Answering",
        description=(
            "Stacks whose Prometheus this one cannot ask: their lines end, and nothing here is "
            "known of them. TargetDown fires for each."
        ),
        grid_pos=GridPos(0, 4, 8, 6),
        unit="none",
        empty="No stack is federated",
    )
    query = Query(f"count({_SOURCES}) - (count({_SOURCES} == 1) or vector(0))", "not answering")
    thresholds = colour_steps(
        [
            dashboard.Threshold(value=None, color="green"),
            dashboard.Threshold(value=1, color="red"),
        ]
    )
    return panels.stat(options, query, bound=thresholds)


def _patients() -> timeseries.Panel:
    options = PanelOptions(
        title="Active Patients by stack",
        description=(
            "Patients whose vital signs are being streamed, over all backends of a stack. A sudden "
            "fall means that streams break off; a line that ends is a stack that does not answer."
        ),
        grid_pos=GridPos(8, 4, 16, 6),
        unit="none",
        empty=panels.NO_REPORT,
    )
    return panels.timeseries(
        options, Query(f"sum by (stack) (job:active_patients:sum{_IN})", "{{stack}}")
    )


def _stacks(failing: Threshold, slow: Threshold) -> table.Panel:
    options = PanelOptions(
        title="Stacks",
        description=(
            "Each stack now: whether it answers, its backends that are up, requests a second, the "
            f"share of 5xx answers (coloured above {failing.value:g}%), the slowest endpoint's "
            f"95th percentile (coloured above {slow.value:g} s), and whether all of its databases, "
            "PostgreSQL and Redis, are up. An empty cell is nothing known."
        ),
        grid_pos=GridPos(0, 10, 24, 8),
        unit="none",
        empty="No stack is federated",
    )
    panel = panels.table(
        options,
        Query(f"min by (stack) ({_SOURCES})", "Answers"),
        Query(f"sum by (stack) (instance:backend_up:min{_IN})", "Backends"),
        Query(f"sum by (stack) (job:http_requests:rate5m{_IN})", "Rate"),
        Query(f"max by (stack) (100 * job:http_request_errors:ratio_rate5m{_IN})", "Errors"),
        Query(f"max by (stack) (endpoint:http_request_duration_seconds:p95_rate5m{_IN})", "p95"),
        Query(
            f"min by (stack) (instance:pg_up:min{_IN} or instance:redis_up:min{_IN})", "Databases"
        ),
        keys={"stack": "Stack"},
        sort_by="Stack",
        descending=False,
    )
    columns = {
        "Answers": overrides.up_or_down_column(width=None),
        "Backends": [*overrides.column("none"), *overrides.coloured_text(up_or_down())],
        "Rate": overrides.column("reqps"),
        "Errors": overrides.column("percent", failing),
        "p95": overrides.column("s", slow),
        "Databases": overrides.up_or_down_column(width=None),
    }
    for name, properties in columns.items():
        panel.override_by_name(name, [*properties, overrides.least_width(_LEAST_WIDTH)])
    return panel


def _service(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    failing, slow = alerts["HighErrorRate"], alerts["HighResponseTime"]
    return [
        panels.timeseries(
            PanelOptions(
                title="Request Rate by stack",
                description="Requests a second, over 5 minutes. Bad: a fall to nothing.",
                grid_pos=GridPos(0, 18, 8, 7),
                unit="reqps",
                empty="No request in the last 5 minutes",
            ),
            Query(f"sum by (stack) (job:http_requests:rate5m{_IN})", "{{stack}}"),
        ),
        panels.timeseries(
            PanelOptions(
                title="Error Rate by stack (5xx %)",
                description=(
                    "The share of requests that a stack's backend failed to answer. HighErrorRate "
                    f"is critical above {failing.value:g}%, the dashed line, where the stack has "
                    "not set another."
                ),
                grid_pos=GridPos(8, 18, 8, 7),
                unit="percent",
                empty="No request in the last 5 minutes",
            ),
            Query(f"max by (stack) (100 * job:http_request_errors:ratio_rate5m{_IN})", "{{stack}}"),
            bound=failing,
        ),
        panels.timeseries(
            PanelOptions(
                title="Response Time p95 by stack",
                description=(
                    "The slowest endpoint's 95th percentile. HighResponseTime warns above "
                    f"{slow.value:g} s, the dashed line, where the stack has not set another."
                ),
                grid_pos=GridPos(16, 18, 8, 7),
                unit="s",
                empty="No request in the last 5 minutes",
            ),
            Query(
                f"max by (stack) (endpoint:http_request_duration_seconds:p95_rate5m{_IN})",
                "{{stack}}",
            ),
            bound=slow,
        ),
    ]


def _machines(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.timeseries(
            PanelOptions(
                title=f"{what} by stack",
                description=(
                    f"{meaning}. {alert} warns above {alerts[alert].value:g}%, the dashed line, "
                    "where the stack has not set another."
                ),
                grid_pos=GridPos(8 * column, 25, 8, 7),
                unit="percent",
                empty=panels.NO_REPORT,
            ),
            Query(f"max by (stack) (100 * {series}{_IN})", "{{stack}}"),
            bound=alerts[alert],
        )
        for column, (what, meaning, series, alert) in enumerate(
            (
                (
                    "CPU Usage",
                    "The busiest host's CPU time that is not idle",
                    "instance:node_cpu_utilisation:ratio_rate5m",
                    "HighCPUUsage",
                ),
                (
                    "Memory Usage",
                    "Memory that is not available to programs, on the fullest host",
                    "instance:node_memory_utilisation:ratio",
                    "HighMemoryUsage",
                ),
                (
                    "Redis Memory of Limit",
                    "Used memory as a share of maxmemory, where one is set",
                    "instance:redis_memory_used:ratio",
                    "RedisHighMemoryUsage",
                ),
            )
        )
    ]
