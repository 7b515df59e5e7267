"""MySQL: is it there, has it connections left, what does it do."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, plain, steps, up_or_down

_IN = '{instance=~"$mysql_instance"}'


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Return the dashboard of MySQL."""
    return DashboardSpec(
        stem="mysql",
        title="VitalStream MySQL",
        description="MySQL or MariaDB: is it there, has it connections left, what does it do?",
        variables=[Variable("mysql_instance", "Instance", "instance:mysql_up:min", "instance")],
        panels=[*_stats(alerts), *_over_time(alerts)],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    full = alerts["MySQLTooManyConnections"]
    return [
        panels.stat(
            PanelOptions(
                title="MySQL Up",
                description="Whether the exporter reaches MySQL. Red: it does not (MySQLDown).",
                grid_pos=GridPos(0, 0, 8, 4),
                unit="none",
                empty="The exporter does not report",
            ),
            Query(f"min(instance:mysql_up:min{_IN})", "MySQL"),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.UP_OR_DOWN),
        panels.stat(
            PanelOptions(
                title="Connections of Limit",
                description=(
                    "Open connections as a share of max_connections, the fullest instance. "
                    f"MySQLTooManyConnections warns above {full.value:g}%."
                ),
                grid_pos=GridPos(8, 0, 8, 4),
                unit="percent",
                empty=panels.NO_REPORT,
            ),
            Query(f"max(100 * instance:mysql_connections:ratio{_IN})", "used"),
            bound=steps(full),
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="MySQL Uptime",
                description="How long MySQL has run, the instance that started last.",
                grid_pos=GridPos(16, 0, 8, 4),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(f"min(mysql_global_status_uptime{_IN})", "uptime"),
            bound=plain("blue"),
            sparkline=False,
        ),
    ]


def _over_time(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.timeseries(
            PanelOptions(
                title="Connections against Limit",
                description=(
                    "Open connections as a share of max_connections. At 100% MySQL refuses "
                    "new ones."
                ),
                grid_pos=GridPos(0, 4, 12, 9),
                unit="percent",
                empty="MySQL does not report",
            ),
            Query(
                f"max by (instance) (100 * instance:mysql_connections:ratio{_IN})", "{{instance}}"
            ),
            bound=alerts["MySQLTooManyConnections"],
        ).max(100),
        panels.timeseries(
            PanelOptions(
                title="Statements",
                description="Statements a second. Bad: a fall to nothing, or an unexpected jump.",
                grid_pos=GridPos(12, 4, 12, 9),
                unit="ops",
                empty="MySQL does not report",
            ),
            Query(
                f"sum by (instance) (rate(mysql_global_status_questions{_IN}[$__rate_interval]))",
                "{{instance}}",
            ),
        ),
    ]
