"""The hosts: CPU, memory, disks with the days until they are full, network."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import fault_machines, overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, plain, steps

_JOB = 'job=~"$node_job"'
_INSTANCE = 'instance=~"$node_instance"'
_SELECTED = f"{_JOB}, {_INSTANCE}"
_IN = f"{{{_SELECTED}}}"
# What is recorded of file systems has no job; the instances to choose from are those of the job.
_MOUNTS = f"{{{_INSTANCE}}}"
_DISKS = f'{{{_SELECTED}, device!~"loop.*|ram.*|dm-.*"}}'
_TABLE = ("lastNotNull", "max")

_DOWN = "No host reports"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Is there CPU, memory and disk left, and for how long."""
    return DashboardSpec(
        stem="host",
        title="VitalStream Host",
        description="The hosts: is there CPU, memory and disk left, and for how long?",
        variables=[
            Variable("node_job", "Job", "node_boot_time_seconds", "job"),
            Variable("node_instance", "Instance", f"node_boot_time_seconds{{{_JOB}}}", "instance"),
        ],
        panels=[
            *_stats(alerts),
            *_processor_and_memory(alerts),
            *_disks(alerts),
            *_io(),
            *fault_machines.host(31, _IN, _MOUNTS),
        ],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    cpu, memory, disk = alerts["HighCPUUsage"], alerts["HighMemoryUsage"], alerts["DiskSpaceLow"]
    return [
        panels.stat(
            PanelOptions(
                title="CPU Usage",
                description=(
                    "The busiest host's CPU time that is not idle, over 5 minutes. HighCPUUsage "
                    f"warns above {cpu.value:g}%."
                ),
                grid_pos=GridPos(0, 0, 6, 4),
                unit="percent",
                empty=panels.NO_REPORT,
            ),
            Query(f"max(100 * instance:node_cpu_utilisation:ratio_rate5m{_IN})", "CPU"),
            bound=steps(cpu),
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Memory Usage",
                description=(
                    "Memory that is not available to programs, on the fullest host. "
                    f"HighMemoryUsage warns above {memory.value:g}%."
                ),
                grid_pos=GridPos(6, 0, 6, 4),
                unit="percent",
                empty=panels.NO_REPORT,
            ),
            Query(f"max(100 * instance:node_memory_utilisation:ratio{_IN})", "memory"),
            bound=steps(memory),
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Least Disk Space",
                description=(
                    "What is left on the fullest file system of all hosts. DiskSpaceLow warns "
                    f"below {disk.value:g}%."
                ),
                grid_pos=GridPos(12, 0, 6, 4),
                unit="percent",
                empty="No disk",
            ),
            Query(
                f"min(100 * instance_mountpoint:node_filesystem_available:ratio{_MOUNTS})", "left"
            ),
            bound=steps(disk),
            missing="orange",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Host Uptime",
                description="How long the host that booted last has run. Bad: an unplanned reboot.",
                grid_pos=GridPos(18, 0, 6, 4),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(f"min(time() - node_boot_time_seconds{_IN})", "uptime"),
            bound=plain("blue"),
            sparkline=False,
        ).decimals(1),
    ]


def _processor_and_memory(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    cpu, memory = alerts["HighCPUUsage"], alerts["HighMemoryUsage"]
    return [
        panels.timeseries(
            PanelOptions(
                title="CPU Usage by host",
                description=(
                    "The share of CPU time that is not idle, over 5 minutes. HighCPUUsage warns "
                    f"above {cpu.value:g}%, the dashed line."
                ),
                grid_pos=GridPos(0, 4, 8, 9),
                unit="percent",
                empty=_DOWN,
            ),
            Query(
                f"max by (instance) (100 * instance:node_cpu_utilisation:ratio_rate5m{_IN})",
                "{{instance}}",
            ),
            bound=cpu,
            legend_calcs=_TABLE,
        ).max(100),
        panels.timeseries(
            PanelOptions(
                title="CPU Time by mode",
                description=(
                    "What the CPUs do when they are not idle, averaged over them, stacked. Bad: "
                    "iowait (waits for a disk) or steal (another virtual machine has the CPU)."
                ),
                grid_pos=GridPos(8, 4, 8, 9),
                unit="percent",
                empty=_DOWN,
            ),
            Query(
                f"100 * avg by (mode) (rate(node_cpu_seconds_total"
                f'{{{_SELECTED}, mode!="idle"}}[$__rate_interval]))',
                "{{mode}}",
            ),
            stacked=True,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Memory Usage by host",
                description=(
                    "The share of memory that is not available to programs. HighMemoryUsage warns "
                    f"above {memory.value:g}%, the dashed line; near 100% the kernel kills."
                ),
                grid_pos=GridPos(16, 4, 8, 9),
                unit="percent",
                empty=_DOWN,
            ),
            Query(
                f"max by (instance) (100 * instance:node_memory_utilisation:ratio{_IN})",
                "{{instance}}",
            ),
            bound=memory,
            legend_calcs=_TABLE,
        ).max(100),
    ]


def _disks(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    bound = alerts["DiskSpaceLow"]
    by = "by (instance, mountpoint)"
    available = f"min {by} (100 * instance_mountpoint:node_filesystem_available:ratio{_MOUNTS})"
    bytes_left = f"min {by} (node_filesystem_avail_bytes{_IN})"
    # The recorded series holds the choice of file systems: `and` applies it to raw ones. What does
    # not shrink is never full and has no value; nor has what was not yet watched an hour ago, since
    # the first minutes' slope says anything.
    watched = f"{bytes_left} and on (instance, mountpoint) {available}"
    shrinking = (
        f"max {by} ((-86400 * deriv(node_filesystem_avail_bytes{_IN}[6h]) > 0) "
        f"and node_filesystem_avail_bytes{_IN} offset 1h)"
    )
    return [
        panels.timeseries(
            PanelOptions(
                title="Disk Space Available",
                description=(
                    "What is left on each file system that can fill up. DiskSpaceLow warns below "
                    f"{bound.value:g}%, the dashed line."
                ),
                grid_pos=GridPos(0, 13, 12, 9),
                unit="percent",
                empty="No writable file system",
            ),
            Query(available, "{{mountpoint}} · {{instance}}"),
            bound=bound,
            legend_calcs=("lastNotNull", "min"),
        ).max(100),
        panels.table(
            PanelOptions(
                title="Disks and days until full",
                description=(
                    "What is left, and in how many days nothing is left if it goes on as in the "
                    "last 6 hours. A dash: it does not shrink, or less than an "
                    "hour is known. Red: less than 2 days, orange: less than a week."
                ),
                grid_pos=GridPos(12, 13, 12, 9),
                unit="none",
                empty="No writable file system",
            ),
            Query(available, "Available %"),
            Query(watched, "Available"),
            # Always a column, also where nothing fills up.
            Query(
                f"({watched}) / {shrinking} or 0 * ({watched}) {overrides.NOT_FILLING}",
                "Days until full",
            ),
            keys={"instance": "Host", "mountpoint": "Mount point"},
            sort_by="Mount point",
            descending=False,
        )
        .override_by_name("Available %", overrides.column("percent", bound, width=80))
        .override_by_name("Available", overrides.column("bytes", width=75))
        .override_by_name("Days until full", overrides.days_until_full()),
    ]


def _io() -> Sequence[Builder[dashboard.Panel]]:
    return [
        panels.timeseries(
            PanelOptions(
                title="Network",
                description=(
                    "Bytes a second that each interface receives and sends, without loopback and "
                    "those of containers. Bad: a plateau at the line's capacity, or a fall to "
                    "nothing."
                ),
                grid_pos=GridPos(0, 22, 8, 9),
                unit="Bps",
                empty=_DOWN,
            ),
            *(
                Query(
                    f"max by (instance, device) "
                    f"(rate(node_network_{series}_bytes_total{_IN}[$__rate_interval]))",
                    f"{{{{device}}}} {name} · {{{{instance}}}}",
                )
                for series, name in (("receive", "received"), ("transmit", "sent"))
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Disk Busy",
                description=(
                    "The share of time in which a disk had something to do. Near 100% it is the "
                    "bottleneck, unless it is an SSD, which does many things at once."
                ),
                grid_pos=GridPos(8, 22, 8, 9),
                unit="percent",
                empty="No disk reports",
            ),
            Query(
                f"100 * max by (instance, device) "
                f"(rate(node_disk_io_time_seconds_total{_DISKS}[$__rate_interval]))",
                "{{device}} · {{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Load per CPU",
                description=(
                    "Processes that run or wait, averaged over 5 minutes, for each CPU. Above 1 "
                    "for long: they wait for a CPU or a disk."
                ),
                grid_pos=GridPos(16, 22, 8, 9),
                unit="none",
                empty=_DOWN,
            ),
            Query(
                f"max by (instance) (node_load5{_IN}) / count by (instance) "
                f'(node_cpu_seconds_total{{{_SELECTED}, mode="idle"}})',
                "{{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
    ]
