"""Containers: which is near its memory limit, throttled, restarting, or killed."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, steps

_IN = '{container=~"$container"}'
_RAW = '{job="container", container=~"$container"}'
_NONE = "No container is seen"
_UNLIMITED = "No container has a limit"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Return the dashboard of the Docker host's containers."""
    return DashboardSpec(
        stem="containers",
        title="VitalStream Containers",
        description=(
            "The Docker host's containers by their ids, as docker ps prints them: CPU, memory, "
            "restarts, kills."
        ),
        variables=[Variable("container", "Container", "container_start_time_seconds", "container")],
        panels=[*_stats(alerts), *_over_time(alerts)],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    memory, throttled = alerts["ContainerMemoryNearLimit"], alerts["ContainerThrottled"]
    restarts, kills = alerts["ContainerRestarting"], alerts["ContainerOOMKilled"]
    return [
        panels.stat(
            PanelOptions(
                title="Memory, Nearest to Its Limit",
                description=(
                    "Memory in use as a share of the limit, the fullest container. "
                    f"ContainerMemoryNearLimit warns above {memory.value:g}%."
                ),
                grid_pos=GridPos(0, 0, 12, 3),
                unit="percent",
                empty=_UNLIMITED,
            ),
            Query(f"max(100 * container:memory_used_of_limit:ratio{_IN})", "used"),
            bound=steps(memory),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Most Throttled",
                description=(
                    "Periods in which a container had used up its CPU limit, of those in which it "
                    f"ran. ContainerThrottled warns above {throttled.value:g}% where more than "
                    "half of the limit is in use."
                ),
                grid_pos=GridPos(12, 0, 12, 3),
                unit="percent",
                empty=_UNLIMITED,
            ),
            Query(f"max(100 * container:cpu_throttled_periods:ratio5m{_IN})", "throttled"),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Restarts, 15 Minutes",
                description=(
                    "Restarts of the container with the most. "
                    f"ContainerRestarting warns above {restarts.value:g}."
                ),
                grid_pos=GridPos(0, 3, 12, 3),
                unit="none",
                empty=_NONE,
            ),
            Query(
                f"max(container:restarts:count15m{_IN}) "
                f"or 0 * count(container_start_time_seconds{_RAW})",
                "restarts",
            ),
            bound=steps(restarts),
        ).decimals(0),
        panels.stat(
            PanelOptions(
                title="Killed for Memory, 15 Minutes",
                description=(
                    "Processes in containers that the kernel killed because memory ran out. "
                    "Above zero: ContainerOOMKilled."
                ),
                grid_pos=GridPos(12, 3, 12, 3),
                unit="none",
                empty=_NONE,
            ),
            Query(f"sum(container:oom_kills:count15m{_IN})", "killed"),
            bound=steps(kills),
        ).decimals(0),
    ]


def _over_time(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    legend = "{{container}}"
    return [
        panels.timeseries(
            PanelOptions(
                title="CPU by Container",
                description="Cores in use by each container, over 5 minutes.",
                grid_pos=GridPos(0, 6, 12, 9),
                unit="none",
                empty=_NONE,
            ),
            Query(f"max by (container) (container:cpu_used:rate5m{_IN})", legend),
        ),
        panels.timeseries(
            PanelOptions(
                title="Throttling by Container",
                description=(
                    "Periods in which it had used up its CPU limit, of those in which it ran. One "
                    "that mostly sleeps may be throttled without harm. The dashed line is where "
                    "ContainerThrottled warns."
                ),
                grid_pos=GridPos(12, 6, 12, 9),
                unit="percent",
                empty=_UNLIMITED,
            ),
            Query(
                f"max by (container) (100 * container:cpu_throttled_periods:ratio5m{_IN})", legend
            ),
            bound=alerts["ContainerThrottled"],
        ).max(100),
        panels.timeseries(
            PanelOptions(
                title="Memory against Limit",
                description=(
                    "Memory in use (without file cache that can be dropped) as a share of the "
                    "limit. Containers without a limit are not in it."
                ),
                grid_pos=GridPos(0, 15, 12, 9),
                unit="percent",
                empty=_UNLIMITED,
            ),
            Query(f"max by (container) (100 * container:memory_used_of_limit:ratio{_IN})", legend),
            bound=alerts["ContainerMemoryNearLimit"],
        ).max(100),
        panels.timeseries(
            PanelOptions(
                title="Memory by Container",
                description=(
                    "Memory in use by each container, without file cache that can be dropped."
                ),
                grid_pos=GridPos(12, 15, 12, 9),
                unit="bytes",
                empty=_NONE,
            ),
            Query(f"max by (container) (container_memory_working_set_bytes{_RAW})", legend),
        ),
        panels.timeseries(
            PanelOptions(
                title="Restarts by Container",
                description="Restarts within 15 minutes. None: there is no line.",
                grid_pos=GridPos(0, 24, 12, 9),
                unit="none",
                empty="No container has restarted",
            ),
            Query(f"max by (container) (container:restarts:count15m{_IN})", legend),
            bound=alerts["ContainerRestarting"],
        ),
        panels.timeseries(
            PanelOptions(
                title="Kills by Container",
                description=(
                    "Processes that the kernel killed within 15 minutes because memory ran out. "
                    "Bad: any."
                ),
                grid_pos=GridPos(12, 24, 12, 9),
                unit="none",
                empty=_NONE,
            ),
            Query(f"max by (container) (container:oom_kills:count15m{_IN})", legend),
            bound=alerts["ContainerOOMKilled"],
        ),
    ]
