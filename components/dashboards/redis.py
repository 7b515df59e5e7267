"""Redis: memory against its limit, hits and misses, clients, keys, what it rejects."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import fault_stores, overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, Threshold, plain, steps, up_or_down

_JOB = 'job=~"$redis_job"'
_IN = f'{{{_JOB}, instance=~"$redis_instance"}}'
_TABLE = ("lastNotNull", "max")


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Is the cache there, does it fit into its memory, does it help."""
    return DashboardSpec(
        stem="redis",
        title="VitalStream Redis",
        description="The cache: is it there, does it fit into its memory, does it help?",
        variables=[
            Variable("redis_job", "Job", "redis_up", "job"),
            Variable("redis_instance", "Instance", f"redis_up{{{_JOB}}}", "instance"),
        ],
        panels=[*_stats(alerts), *_over_time(alerts), *fault_stores.redis(33, _IN)],
    )


def memory(options: PanelOptions, bound: Threshold, selector: str = "") -> timeseries.Panel:
    """Used bytes, maxmemory and the line, in bytes, at which `bound` (in percent) is reached."""
    limit = f"max by (instance) (instance:redis_memory_limit:bytes{selector})"
    return (
        panels.timeseries(
            options,
            Query(
                f"max by (instance) (instance:redis_memory_used:bytes{selector})",
                "used · {{instance}}",
            ),
            Query(limit, "max · {{instance}}"),
            Query(f"{limit} * {bound.value:g} / 100", f"{bound.value:g}% · {{{{instance}}}}"),
        )
        .override_by_query("B", overrides.limit_line())
        .override_by_query("C", overrides.alert_line(bound))
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    full, cold = alerts["RedisHighMemoryUsage"], alerts["RedisLowHitRatio"]
    return [
        panels.stat(
            PanelOptions(
                title="Redis Up",
                description="Whether the exporter reaches Redis. Red: it does not (RedisDown).",
                grid_pos=GridPos(0, 0, 8, 3),
                unit="none",
                empty="The exporter does not report",
            ),
            Query(f"min(instance:redis_up:min{_IN})", "Redis"),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.UP_OR_DOWN),
        panels.stat(
            PanelOptions(
                title="Memory Used of Limit",
                description=(
                    "Used memory as a share of maxmemory, the fullest instance. "
                    f"RedisHighMemoryUsage warns above {full.value:g}%."
                ),
                grid_pos=GridPos(8, 0, 8, 3),
                unit="percent",
                empty="No limit",
            ),
            Query(f"max(100 * instance:redis_memory_used:ratio{_IN})", "used"),
            bound=steps(full),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Hit Ratio",
                description=(
                    "The share of key look-ups that found their key, over 5 minutes, the worst "
                    "instance. A fall means that the cache was emptied or no longer helps; "
                    f"RedisLowHitRatio warns below {cold.value:g}%."
                ),
                grid_pos=GridPos(16, 0, 8, 3),
                unit="percent",
                empty="No look-up",
            ),
            Query(f"min(100 * instance:redis_keyspace_hit:ratio_rate5m{_IN})", "hits"),
            bound=steps(cold),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Connected Clients",
                description=(
                    "Clients connected now, replicas not counted. Bad: steady growth, which is "
                    "a leak of connections, or none at all."
                ),
                grid_pos=GridPos(0, 3, 12, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query(f"sum(redis_connected_clients{_IN})", "clients"),
        ),
        panels.stat(
            PanelOptions(
                title="Redis Uptime",
                description=(
                    "How long Redis has run, the instance that started last. After a restart the "
                    "cache is cold unless it was loaded from disk."
                ),
                grid_pos=GridPos(12, 3, 12, 3),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(f"min(time() - redis_start_time_seconds{_IN})", "uptime"),
            bound=plain("blue"),
            sparkline=False,
        ).decimals(1),
    ]


def _over_time(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    full, rejecting = alerts["RedisHighMemoryUsage"], alerts["RedisRejectedConnections"]
    return [
        memory(
            PanelOptions(
                title="Memory against Limit",
                description=(
                    "Used memory against maxmemory (grey; absent where none is set) and the "
                    f"{full.value:g}% at which RedisHighMemoryUsage warns. At the grey line "
                    "Redis evicts keys or refuses writes, by its maxmemory-policy."
                ),
                grid_pos=GridPos(0, 6, 12, 9),
                unit="bytes",
                empty="Redis does not report",
            ),
            full,
            _IN,
        ),
        panels.timeseries(
            PanelOptions(
                title="Hits and Misses",
                description=(
                    "Key look-ups a second that found their key or did not. Bad: misses that "
                    "grow against the hits; each one is a query for PostgreSQL."
                ),
                grid_pos=GridPos(12, 6, 12, 9),
                unit="ops",
                empty="Redis does not report",
            ),
            Query(f"sum(rate(redis_keyspace_hits_total{_IN}[$__rate_interval]))", "hits"),
            Query(f"sum(rate(redis_keyspace_misses_total{_IN}[$__rate_interval]))", "misses"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Clients by State",
                description=(
                    "Connected clients and those that wait in a blocking command. Bad: growth "
                    "without end, or blocked clients that nobody expects."
                ),
                grid_pos=GridPos(0, 15, 8, 9),
                unit="none",
                empty="Redis does not report",
            ),
            Query(f"sum(redis_connected_clients{_IN})", "connected"),
            Query(f"sum(redis_blocked_clients{_IN})", "blocked"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Rejected Connections",
                description=(
                    "Connections that Redis refused in the last 5 minutes because maxclients was "
                    f"reached. RedisRejectedConnections warns above {rejecting.value:g}."
                ),
                grid_pos=GridPos(8, 15, 8, 9),
                unit="none",
                empty="Redis does not report",
            ),
            Query(
                f"max by (instance) (instance:redis_rejected_connections:increase5m{_IN})",
                "{{instance}}",
            ),
            bound=rejecting,
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Evicted and Expired Keys",
                description=(
                    "Keys a second that left: expired ones had reached their time to live, which "
                    "is normal; evicted ones made room because memory was full, which is bad."
                ),
                grid_pos=GridPos(16, 15, 8, 9),
                unit="ops",
                empty="Redis does not report",
            ),
            Query(f"sum(rate(redis_evicted_keys_total{_IN}[$__rate_interval]))", "evicted"),
            Query(f"sum(rate(redis_expired_keys_total{_IN}[$__rate_interval]))", "expired"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Commands",
                description="Commands a second. Bad: a fall to nothing, or an unexpected jump.",
                grid_pos=GridPos(0, 24, 12, 9),
                unit="ops",
                empty="Redis does not report",
            ),
            Query(
                f"sum by (instance) (rate(redis_commands_processed_total{_IN}[$__rate_interval]))",
                "{{instance}}",
            ),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Keys by Database",
                description=(
                    "Keys in each database that has any. A sudden fall means that somebody "
                    "flushed it; endless growth means keys without a time to live."
                ),
                grid_pos=GridPos(12, 24, 12, 9),
                unit="none",
                empty="No database has a key",
            ),
            Query(f"sum by (db) (redis_db_keys{_IN}) > 0", "{{db}}"),
            legend_calcs=_TABLE,
        ),
    ]
