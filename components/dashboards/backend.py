"""The backend's logins, caches and processes, which are a part of the API dashboard."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import overrides, panels
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, plain

_TABLE = ("lastNotNull", "max")
_DOWN = "No backend reports"


def user_panels(
    y: int, alerts: AlertThresholds, by_target: str
) -> Sequence[Builder[dashboard.Panel]]:
    """Logins and caches, a band of 9 rows at row `y`, from the targets that `by_target` selects."""
    guessing = alerts["HighFailedLogins"]
    hits, misses = (
        f"sum by (cache_type) (rate(cache_{series}_total{by_target}[$__rate_interval]))"
        for series in ("hits", "misses")
    )
    return [
        panels.timeseries(
            PanelOptions(
                title="Logins by result",
                description=(
                    "Attempts to log in a minute. Failures that rise alone: somebody is guessing "
                    "passwords, or a client has a wrong one."
                ),
                grid_pos=GridPos(0, y, 8, 9),
                unit="suffix:/min",
                empty="No attempt yet",
            ),
            Query(
                f"60 * sum by (result) (rate(auth_attempts_total{by_target}[$__rate_interval]))",
                "{{result}}",
            ),
            legend_calcs=_TABLE,
        )
        .override_by_name("success", [overrides.fixed_colour("green")])
        .override_by_name("failure", [overrides.fixed_colour("orange")]),
        panels.timeseries(
            PanelOptions(
                title="Failed Logins (last 5 minutes)",
                description=(
                    "Logins of all backends that did not succeed. HighFailedLogins warns above "
                    f"{guessing.value:g}, the dashed line."
                ),
                grid_pos=GridPos(8, y, 8, 9),
                unit="none",
                empty="No attempt yet",
            ),
            Query("sum by (job) (job:auth_failures:increase5m)", "{{job}}"),
            bound=guessing,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Cache Hit Ratio by type",
                description=(
                    "The share of the backend's look-ups in its caches that found something. A "
                    "fall sends the load on to PostgreSQL."
                ),
                grid_pos=GridPos(16, y, 8, 9),
                unit="percent",
                empty="No look-up now",
            ),
            Query(f"100 * {hits} / ({hits} + {misses} > 0)", "{{cache_type}}"),
            legend_calcs=_TABLE,
        ).max(100),
    ]


def process_panels(y: int, by_target: str) -> Sequence[Builder[dashboard.Panel]]:
    """CPU, memory and age of each process, a band of 9 rows at row `y`."""
    return [
        panels.timeseries(
            PanelOptions(
                title="Backend CPU",
                description=(
                    "CPU time of each backend process, 100% being one core. A Python process "
                    "cannot use much more than one: near 100% it is the bottleneck."
                ),
                grid_pos=GridPos(0, y, 8, 9),
                unit="percent",
                empty=_DOWN,
            ),
            Query(
                f"100 * max by (instance) "
                f"(rate(process_cpu_seconds_total{by_target}[$__rate_interval]))",
                "{{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Backend Memory",
                description="Resident memory of each backend process. Endless growth is a leak.",
                grid_pos=GridPos(8, y, 8, 9),
                unit="bytes",
                empty=_DOWN,
            ),
            Query(f"max by (instance) (process_resident_memory_bytes{by_target})", "{{instance}}"),
            legend_calcs=_TABLE,
        ),
        panels.stat(
            PanelOptions(
                title="Backend Uptime",
                description="How long each backend has run. Short without a deployment: a crash.",
                grid_pos=GridPos(16, y, 8, 9),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(
                f"min by (instance) (instance:backend_uptime_seconds:max{by_target})",
                "{{instance}}",
            ),
            bound=plain("blue"),
            sparkline=False,
        ).decimals(1),
    ]
