"""ECG and anomalies: what is found, by type and severity, and how long the analysis takes."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import faults, overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, up_or_down

_BY_TARGET = '{job="backend", instance=~"$backend_instance"}'
_TABLE = ("lastNotNull", "max")

_IDLE = "Nothing was processed"

_ECG, _WASM = "ecg_processing_duration_seconds", "wasm_execution_duration_seconds"


def spec(_alerts: AlertThresholds) -> DashboardSpec:
    """What the analysis finds, and whether it keeps up."""
    return DashboardSpec(
        stem="ecg",
        title="VitalStream ECG and Anomalies",
        description="What the ECG analysis finds, and whether it keeps up with the patients.",
        variables=[
            Variable("backend_instance", "Instance", "instance:backend_up:min", "instance"),
        ],
        panels=[*_stats(), *_anomalies(), *_processing(), *faults.ecg(33, _BY_TARGET)],
    )


def _stats() -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.stat(
            PanelOptions(
                title="Active Patients",
                description=(
                    "Patients whose data are streamed now. A sudden fall is bad; zero means that "
                    "no data flow at all."
                ),
                grid_pos=GridPos(0, 0, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query("sum(job:active_patients:sum)", "patients"),
            bound=up_or_down(),
        ),
        panels.stat(
            PanelOptions(
                title="Anomalies Detected (last hour)",
                description=(
                    "ECG anomalies found in the last hour. A jump is either patients in trouble or "
                    "a detector gone wrong."
                ),
                grid_pos=GridPos(8, 0, 8, 3),
                unit="none",
                empty="None recorded",
            ),
            Query("sum(job:anomalies_detected:increase1h)", "anomalies"),
            missing="text",
        ).decimals(0),
        panels.stat(
            PanelOptions(
                title="Anomalies per Patient (1 h)",
                description=(
                    "The last hour's anomalies over the patients connected now. It sets a jump "
                    "against the number of patients: more of both is no cause for worry."
                ),
                grid_pos=GridPos(16, 0, 8, 3),
                unit="none",
                empty="No patient",
            ),
            Query(
                "sum(job:anomalies_detected:increase1h) / (sum(job:active_patients:sum) > 0)",
                "anomalies a patient",
            ),
            missing="orange",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="ECG Analyses per Second",
                description=(
                    "ECG segments analysed a second. Zero with patients connected: nobody looks at "
                    "their data."
                ),
                grid_pos=GridPos(0, 3, 12, 3),
                unit="ops",
                empty=panels.NO_REPORT,
            ),
            Query(f"sum(rate({_ECG}_count{_BY_TARGET}[$__rate_interval]))", "analyses"),
        ),
        panels.stat(
            PanelOptions(
                title="ECG Processing p95",
                description=(
                    "The time within which 95% of the segments are analysed. Bad: steady growth; "
                    "an anomaly is reported that much later."
                ),
                grid_pos=GridPos(12, 3, 12, 3),
                unit="s",
                empty="Idle",
            ),
            Query(_quantile(0.95, _ECG), "p95"),
            missing="orange",
        ),
    ]


def _anomalies() -> Sequence[Builder[dashboard.Panel]]:
    return [
        _by_type(),
        panels.timeseries(
            PanelOptions(
                title="Anomalies by severity",
                description=(
                    "Anomalies a minute by the severity that the detector gave, stacked. The "
                    "severest matter, however few."
                ),
                grid_pos=GridPos(8, 6, 8, 9),
                unit="suffix:/min",
                empty="None recorded",
            ),
            Query(_anomalies_by("severity"), "{{severity}}"),
            stacked=True,
            legend_calcs=_TABLE,
        )
        .override_by_name("critical", [overrides.fixed_colour("red")])
        .override_by_name("high", [overrides.fixed_colour("orange")])
        .override_by_name("medium", [overrides.fixed_colour("yellow")])
        .override_by_name("low", [overrides.fixed_colour("blue")]),
        panels.table(
            PanelOptions(
                title="Anomalies by type and severity",
                description="The last hour's anomalies, the most frequent kind first.",
                grid_pos=GridPos(16, 6, 8, 9),
                unit="none",
                empty="None recorded",
            ),
            Query(
                f"sum by (anomaly_type, severity) "
                f"(increase(anomalies_detected_total{_BY_TARGET}[1h]))",
                "Last hour",
            ),
            keys={"anomaly_type": "Type", "severity": "Severity"},
            sort_by="Last hour",
        )
        .override_by_name("Last hour", overrides.column("none", width=110))
        .decimals(0),
    ]


def _by_type() -> timeseries.Panel:
    panel = panels.timeseries(
        PanelOptions(
            title="Anomalies by type",
            description=(
                "Anomalies a minute by type, stacked. One type that suddenly makes up nearly "
                "all of them points at a detector or a device rather than at patients."
            ),
            grid_pos=GridPos(0, 6, 8, 9),
            unit="suffix:/min",
            empty="None recorded",
        ),
        Query(_anomalies_by("anomaly_type"), "{{anomaly_type}}"),
        stacked=True,
        legend_calcs=_TABLE,
    )
    for name, colour in overrides.anomaly_colours().items():
        panel.override_by_regexp(name, colour)
    return panel


def _processing() -> Sequence[Builder[dashboard.Panel]]:
    found: list[Builder[dashboard.Panel]] = []
    for y, series, name, meaning in (
        (15, _ECG, "ECG Processing", "the whole analysis of a segment"),
        (
            24,
            _WASM,
            "WASM Execution",
            "the WebAssembly detector alone, a part of the ECG processing",
        ),
    ):
        found += [
            panels.timeseries(
                PanelOptions(
                    title=f"{name} Time",
                    description=(
                        f"Median, 95th and 99th percentile of {meaning}. Bad: steady growth, or a "
                        "p99 that leaves the median behind; results then come late."
                    ),
                    grid_pos=GridPos(0, y, 12, 9),
                    unit="s",
                    empty=_IDLE,
                ),
                *(
                    Query(_quantile(q, series), label)
                    for q, label in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
                ),
                legend_calcs=_TABLE,
            ),
            panels.heatmap(
                PanelOptions(
                    title=f"{name} Heatmap",
                    description=(
                        f"How often {meaning} took how long. A second band above the first is a "
                        "group of segments that costs more than the others."
                    ),
                    grid_pos=GridPos(12, y, 12, 9),
                    unit="s",
                    empty=_IDLE,
                ),
                Query(_buckets(series), "{{le}}"),
            ),
        ]
    return found


def _anomalies_by(label: str) -> str:
    rate = f"rate(anomalies_detected_total{_BY_TARGET}[$__rate_interval])"
    return f"60 * sum by ({label}) ({rate})"


def _buckets(series: str) -> str:
    return f"sum by (le) (rate({series}_bucket{_BY_TARGET}[$__rate_interval]))"


def _quantile(q: float, series: str) -> str:
    # Buckets that did not move give NaN, which is no answer: the comparison drops it.
    return f"histogram_quantile({q}, {_buckets(series)}) >= 0"
