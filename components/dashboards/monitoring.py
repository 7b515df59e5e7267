"""The monitoring itself: targets, storage, rules, notifications, Alertmanager and Grafana."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import delivery, fault_machines, overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold, plain, steps, up_or_down

_TARGETS = '{job=~"$job", instance=~"$instance"}'
_PROMETHEUS = '{job="prometheus"}'
_TABLE = ("lastNotNull", "max")

_DOWN = "Prometheus does not scrape itself"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Would an alert be raised, and would it arrive."""
    return DashboardSpec(
        stem="monitoring",
        title="VitalStream Monitoring",
        description="The monitoring itself: would an alert be raised, and would it arrive?",
        variables=[
            Variable("job", "Job", "up", "job"),
            Variable("instance", "Instance", 'up{job=~"$job"}', "instance"),
        ],
        panels=[
            *_stats(alerts),
            *_scrapes(alerts["ScrapesTooSlow"]),
            *_storage(alerts["PrometheusStorageNearLimit"]),
            *delivery.panels_at(24, alerts),
            *fault_machines.monitoring(42),
        ],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    storage = alerts["PrometheusStorageNearLimit"]
    return [
        panels.stat(
            PanelOptions(
                title="Targets Down",
                description=(
                    "Targets that Prometheus cannot scrape. Above zero: something is not watched."
                ),
                grid_pos=GridPos(0, 0, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            # Zero is the honest answer where targets are there and none of them is down.
            Query(f"count(up{_TARGETS} == 0) or 0 * count(up{_TARGETS})", "down"),
            bound=steps(Threshold(1, fires_below=False, colour="red")),
        ),
        panels.stat(
            PanelOptions(
                title="Alertmanager",
                description="Whether every Alertmanager can be scraped (AlertmanagerDown).",
                grid_pos=GridPos(8, 0, 8, 3),
                unit="none",
                empty="No target in the job",
            ),
            Query("min(instance:alertmanager_up:min)", "Alertmanager"),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.UP_OR_DOWN),
        panels.stat(
            PanelOptions(
                title="Watchdog",
                description=(
                    "An alert that always fires. Red: alert rules are not evaluated, and no other "
                    "alert would fire."
                ),
                grid_pos=GridPos(16, 0, 8, 3),
                unit="none",
                empty="Prometheus gave no answer",
            ),
            Query(
                'max(ALERTS{alertname="Watchdog", alertstate="firing"}) or vector(0)', "Watchdog"
            ),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.FIRING_OR_SILENT),
        panels.stat(
            PanelOptions(
                title="Configuration",
                description=(
                    "Whether Prometheus and Alertmanager accepted their last configuration. Red: "
                    "one refused it and would not start again (ConfigReloadFailed)."
                ),
                grid_pos=GridPos(0, 3, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query(
                "min(prometheus_config_last_reload_successful "
                "or alertmanager_config_last_reload_successful)",
                "configuration",
            ),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.ACCEPTED_OR_REFUSED),
        panels.stat(
            PanelOptions(
                title="Storage of Limit",
                description=(
                    "What Prometheus stores as a share of its size limit. "
                    f"PrometheusStorageNearLimit warns above {storage.value:g}%; at 100% the "
                    "oldest data go, even within the retention time."
                ),
                grid_pos=GridPos(8, 3, 8, 3),
                unit="percent",
                empty="No limit",
            ),
            Query("max(100 * instance:prometheus_storage:ratio)", "used"),
            bound=steps(storage),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Oldest Sample",
                description=(
                    "How far back the stored data go. With time it reaches the retention time; "
                    "staying far below it, the size limit cuts data off."
                ),
                grid_pos=GridPos(16, 3, 8, 3),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(f"max(time() - prometheus_tsdb_lowest_timestamp_seconds{_PROMETHEUS})", "age"),
            bound=plain("blue"),
            sparkline=False,
        ).decimals(1),
    ]


def _scrapes(slow: Threshold) -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.table(
            PanelOptions(
                title="Targets",
                description="Every target and whether its last scrape succeeded; down ones first.",
                grid_pos=GridPos(0, 6, 8, 9),
                unit="none",
                empty="No target",
            ),
            Query(f"min by (job, instance) (up{_TARGETS})", "State"),
            keys={"job": "Job", "instance": "Instance"},
            sort_by="State",
            descending=False,
        ).override_by_name("State", overrides.up_or_down_column()),
        panels.timeseries(
            PanelOptions(
                title="Scrape Duration",
                description=(
                    f"How long a target takes to answer. ScrapesTooSlow warns above {slow.value:g} "
                    "s, the dashed line; at the scrape time-out the target counts as down."
                ),
                grid_pos=GridPos(8, 6, 8, 9),
                unit="s",
                empty="No target",
            ),
            Query(
                f"max by (job, instance) (instance:scrape_duration_seconds:max{_TARGETS})",
                "{{job}} · {{instance}}",
            ),
            bound=slow,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Samples by target",
                description=(
                    "Samples in each scrape after relabelling. A jump is a label with too many "
                    "values; it costs memory and disk."
                ),
                grid_pos=GridPos(16, 6, 8, 9),
                unit="short",
                empty="No target",
            ),
            Query(
                f"max by (job, instance) (scrape_samples_post_metric_relabeling{_TARGETS})",
                "{{job}} · {{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
    ]


def _storage(full: Threshold) -> Sequence[Builder[dashboard.Panel]]:
    limit = "max by (instance) (instance:prometheus_storage_limit:bytes)"
    return [
        panels.timeseries(
            PanelOptions(
                title="Samples Ingested",
                description="Samples stored a second. Bad: a fall, or an unexpected jump.",
                grid_pos=GridPos(0, 15, 8, 9),
                unit="cps",
                empty=_DOWN,
            ),
            Query(
                f"sum by (instance) "
                f"(rate(prometheus_tsdb_head_samples_appended_total{_PROMETHEUS}[$__rate_interval]))",
                "{{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Active Series",
                description=(
                    "Series in memory. Steady growth without new targets is a label with too many "
                    "values, and Prometheus runs out of memory some day."
                ),
                grid_pos=GridPos(8, 15, 8, 9),
                unit="short",
                empty=_DOWN,
            ),
            Query(f"max by (instance) (prometheus_tsdb_head_series{_PROMETHEUS})", "{{instance}}"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Retention Used",
                description=(
                    "Bytes stored against the size limit (grey; absent where none is set) and the "
                    f"{full.value:g}% at which PrometheusStorageNearLimit warns."
                ),
                grid_pos=GridPos(16, 15, 8, 9),
                unit="bytes",
                empty=_DOWN,
            ),
            Query("max by (instance) (instance:prometheus_storage:bytes)", "used · {{instance}}"),
            Query(limit, "limit · {{instance}}"),
            Query(f"{limit} * {full.value:g} / 100", f"{full.value:g}% · {{{{instance}}}}"),
            legend_calcs=_TABLE,
        )
        .override_by_query("B", overrides.limit_line())
        .override_by_query("C", overrides.alert_line(full)),
    ]
