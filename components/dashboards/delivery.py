"""From a rule to a person: rules, notifications and services, part of the Monitoring dashboard."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import overrides, panels
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds

_PROMETHEUS = '{job="prometheus"}'
_ALERTMANAGER = '{job="alertmanager"}'
_TABLE = ("lastNotNull", "max")

_NO_ALERTMANAGER = "Alertmanager does not report"


def panels_at(y: int, alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    """Two bands of 9 rows from row `y` on."""
    return [*_rules_and_notifications(y, alerts), *_services(y + 9)]


def _rules_and_notifications(y: int, alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    failing, undelivered = (
        alerts["PrometheusRuleFailures"],
        alerts["AlertmanagerNotificationsFailing"],
    )
    return [
        panels.timeseries(
            PanelOptions(
                title="Rule Evaluation Time",
                description=(
                    "How long each rule group took last. Bad: near the evaluation interval, where "
                    "evaluations are skipped and alerts come late."
                ),
                grid_pos=GridPos(0, y, 8, 9),
                unit="s",
                empty="No rule group is loaded",
            ),
            # rule_group is the file's path and the group's name.
            Query(
                "max by (group) (label_replace("
                f"prometheus_rule_group_last_duration_seconds{_PROMETHEUS}, "
                '"group", "$1", "rule_group", ".*;(.*)"))',
                "{{group}}",
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Rule Failures",
                description=(
                    "Evaluations that failed in the last 5 minutes, by rule group. "
                    f"PrometheusRuleFailures is critical above {failing.value:g}: the group's "
                    "alerts may not fire."
                ),
                grid_pos=GridPos(8, y, 8, 9),
                unit="none",
                empty="No rule group is loaded",
            ),
            Query(
                "max by (group) (label_replace(rule_group:prometheus_rule_failures:increase5m, "
                '"group", "$1", "rule_group", ".*;(.*)"))',
                "{{group}}",
            ),
            bound=failing,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Notifications",
                description=(
                    "Notifications that Alertmanager sent a minute, and those it gave up in the "
                    "last 15 minutes. AlertmanagerNotificationsFailing is critical above "
                    f"{undelivered.value:g}: an alert did not reach its receiver."
                ),
                grid_pos=GridPos(16, y, 8, 9),
                unit="none",
                empty=_NO_ALERTMANAGER,
            ),
            Query(
                f"60 * sum by (integration) "
                f"(rate(alertmanager_notifications_total{_ALERTMANAGER}[$__rate_interval])) > 0",
                "sent a minute · {{integration}}",
            ),
            Query("sum(integration:alertmanager_notification_failures:increase15m)", "given up"),
            bound=undelivered,
            legend_calcs=_TABLE,
        ),
    ]


def _services(y: int) -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.timeseries(
            PanelOptions(
                title="Alerts in Alertmanager",
                description="Alerts by state; suppressed ones are silenced or inhibited.",
                grid_pos=GridPos(0, y, 8, 9),
                unit="none",
                empty=_NO_ALERTMANAGER,
            ),
            Query(f"sum by (state) (alertmanager_alerts{_ALERTMANAGER})", "{{state}}"),
            Query('sum(alertmanager_silences{job="alertmanager", state="active"})', "silences"),
            legend_calcs=_TABLE,
        ),
        overrides.coloured_by_status(
            panels.timeseries(
                PanelOptions(
                    title="Grafana Requests by status",
                    description="Grafana's answers a second by HTTP status. Bad: any 5xx.",
                    grid_pos=GridPos(8, y, 8, 9),
                    unit="reqps",
                    empty="Grafana does not report",
                ),
                # -1 is a request that was given up before its answer.
                Query(
                    "sum by (status_code) (rate(grafana_http_request_duration_seconds_count"
                    '{job="grafana", status_code!="-1"}[$__rate_interval]))',
                    "{{status_code}}",
                ),
                stacked=True,
                legend_calcs=_TABLE,
            )
        ),
        panels.timeseries(
            PanelOptions(
                title="Memory of the monitoring",
                description=(
                    "Resident memory of Prometheus, Alertmanager, Grafana and the exporters. Bad: "
                    "growth towards the container's limit, where the kernel kills."
                ),
                grid_pos=GridPos(16, y, 8, 9),
                unit="bytes",
                empty="No target reports",
            ),
            Query('max by (job) (process_resident_memory_bytes{job!="backend"})', "{{job}}"),
            legend_calcs=_TABLE,
        ),
    ]
