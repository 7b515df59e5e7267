"""The overview's last row: the host, PostgreSQL and Redis, as far as they are watched."""

from collections.abc import Callable, Iterator, Sequence

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.catalog.monitored import Monitored
from components.dashboards import overrides, panels, redis
from components.dashboards.links import Link
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold

_HOST = Link("host", "Host", "var-node_instance=${__field.labels.instance}")
_POSTGRESQL = Link("postgresql", "PostgreSQL", "var-postgres_instance=${__field.labels.instance}")
_REDIS = Link("redis", "Redis", "var-redis_instance=${__field.labels.instance}")


def row(
    alerts: AlertThresholds, watch: Sequence[Monitored], y: int
) -> Iterator[Builder[dashboard.Panel]]:
    """At the height `y`; those that are there share its width."""
    makers: Sequence[tuple[Monitored, Callable[[GridPos, Threshold], timeseries.Panel], str]] = (
        ("host", _cpu, "HighCPUUsage"),
        ("host", _memory, "HighMemoryUsage"),
        ("postgresql", _connections, "PostgreSQLTooManyConnections"),
        ("redis", _redis_memory, "RedisHighMemoryUsage"),
    )
    made = [(make, alerts[alert]) for watched, make, alert in makers if watched in watch]
    for place, (make, bound) in enumerate(made):
        width = 24 // len(made)
        yield make(GridPos(place * width, y, width, 5), bound)


def _cpu(grid_pos: GridPos, bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="CPU Usage",
        description=(
            "The share of each host's CPU time that is not idle, over 5 minutes. HighCPUUsage "
            f"warns above {bound.value:g}%, the dashed line."
        ),
        grid_pos=grid_pos,
        unit="percent",
        empty="No host reports",
        links=[_HOST],
    )
    query = Query(
        "max by (instance) (100 * instance:node_cpu_utilisation:ratio_rate5m)", "{{instance}}"
    )
    return panels.timeseries(options, query, bound=bound).max(100)


def _memory(grid_pos: GridPos, bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="Memory Usage",
        description=(
            "The share of each host's memory that is not available to programs. HighMemoryUsage "
            f"warns above {bound.value:g}%, the dashed line; near 100% the kernel kills processes."
        ),
        grid_pos=grid_pos,
        unit="percent",
        empty="No host reports",
        links=[_HOST],
    )
    query = Query(
        "max by (instance) (100 * instance:node_memory_utilisation:ratio)", "{{instance}}"
    )
    return panels.timeseries(options, query, bound=bound).max(100)


def _connections(grid_pos: GridPos, bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="Database Connections",
        description=(
            "PostgreSQL's open connections against max_connections (grey). "
            f"PostgreSQLTooManyConnections warns above {bound.value:g}, the coloured line; at the "
            "grey one the backend gets no more."
        ),
        grid_pos=grid_pos,
        unit="none",
        empty="PostgreSQL does not report",
        links=[_POSTGRESQL],
    )
    return panels.timeseries(
        options,
        Query("max by (instance) (instance:pg_connections:sum)", "active · {{instance}}"),
        Query("max by (instance) (instance:pg_connections_max:max)", "max · {{instance}}"),
        bound=bound,
    ).override_by_query("B", overrides.limit_line())


def _redis_memory(grid_pos: GridPos, bound: Threshold) -> timeseries.Panel:
    options = PanelOptions(
        title="Redis Memory",
        description=(
            "Memory that Redis uses against its maxmemory (grey; absent where none is set). "
            f"RedisHighMemoryUsage warns above {bound.value:g}% of it, the coloured line; at the "
            "grey one Redis evicts keys or refuses writes."
        ),
        grid_pos=grid_pos,
        unit="bytes",
        empty="Redis does not report",
        links=[_REDIS],
    )
    return redis.memory(options, bound)
