"""PostgreSQL: connections, transactions' age, rows dead and live, replication, query times."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import fault_stores, overrides, panels
from components.dashboards.frame import DashboardSpec, Variable
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, steps, up_or_down

_IN = '{job=~"$postgres_job", instance=~"$postgres_instance"}'
_AGE = f"instance:pg_transaction_age_seconds:max{_IN}"
_LAG = f"instance:pg_replication_lag_seconds:max{_IN}"
# The backend's own view has the backend's instances, which this dashboard does not choose among.
_BACKEND = '{job="backend"}'
_TABLE = ("lastNotNull", "max")
_DOWN = "PostgreSQL does not report"


def spec(alerts: AlertThresholds) -> DashboardSpec:
    """Is the database there, is it full, does something hold it up."""
    return DashboardSpec(
        stem="postgresql",
        title="VitalStream PostgreSQL",
        description="The database: is it there, is it full, does something hold it up?",
        variables=[
            Variable("postgres_job", "Job", "pg_up", "job"),
            Variable("postgres_instance", "Instance", 'pg_up{job=~"$postgres_job"}', "instance"),
        ],
        panels=[
            *_stats(alerts),
            *_sessions(alerts),
            *_rows(alerts),
            *_backend_view(),
            *fault_stores.postgresql(33, _IN),
        ],
    )


def _stats(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    many, slow = alerts["PostgreSQLTooManyConnections"], alerts["PostgreSQLSlowQueries"]
    late, cold = alerts["PostgreSQLReplicationLag"], alerts["PostgreSQLLowCacheHitRatio"]
    return [
        panels.stat(
            PanelOptions(
                title="PostgreSQL Up",
                description=(
                    "Whether the exporter reaches PostgreSQL. Red: it does not, or the exporter "
                    "itself is gone (PostgreSQLDown)."
                ),
                grid_pos=GridPos(0, 0, 8, 3),
                unit="none",
                empty="No target in the job",
            ),
            Query(f"min(instance:pg_up:min{_IN})", "PostgreSQL"),
            bound=up_or_down(),
            sparkline=False,
            missing=None,
        ).mappings(overrides.UP_OR_DOWN),
        panels.stat(
            PanelOptions(
                title="Connections",
                description=(
                    "Open connections of the instance that has most. PostgreSQLTooManyConnections "
                    f"warns above {many.value:g}."
                ),
                grid_pos=GridPos(8, 0, 8, 3),
                unit="none",
                empty=panels.NO_REPORT,
            ),
            Query(f"max(instance:pg_connections:sum{_IN})", "connections"),
            bound=steps(many),
        ),
        panels.stat(
            PanelOptions(
                title="Oldest Transaction",
                description=(
                    "The age of the oldest open transaction of a client. PostgreSQLSlowQueries "
                    f"warns above {slow.value:g} s; it holds locks and keeps vacuum from its work."
                ),
                grid_pos=GridPos(16, 0, 8, 3),
                unit="s",
                empty=panels.NO_REPORT,
            ),
            Query(f"max({_AGE})", "age"),
            bound=steps(slow),
        ),
        panels.stat(
            PanelOptions(
                title="Replication Lag",
                description=(
                    "How far the latest replica is behind; 0 on a primary. "
                    f"PostgreSQLReplicationLag warns above {late.value:g} s (lost in a failover)."
                ),
                grid_pos=GridPos(0, 3, 8, 3),
                unit="s",
                empty="No figure",
            ),
            Query(f"max({_LAG})", "lag"),
            bound=steps(late),
            missing="text",
        ),
        panels.stat(
            PanelOptions(
                title="Cache Hit Ratio",
                description=(
                    "The share of blocks found in shared_buffers, over 5 minutes, the worst "
                    f"instance. PostgreSQLLowCacheHitRatio warns below {cold.value:g}% under load."
                ),
                grid_pos=GridPos(8, 3, 8, 3),
                unit="percent",
                empty="No reads",
            ),
            Query(f"min(100 * instance:pg_cache_hit:ratio_rate5m{_IN})", "hits"),
            bound=steps(cold),
            missing="text",
        ).decimals(1),
        panels.stat(
            PanelOptions(
                title="Database Size",
                description="All databases together. Bad: growth that the disk will not bear.",
                grid_pos=GridPos(16, 3, 8, 3),
                unit="bytes",
                empty=panels.NO_REPORT,
            ),
            Query(f"sum(pg_database_size_bytes{_IN})", "size"),
        ),
    ]


def _sessions(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    many, slow = alerts["PostgreSQLTooManyConnections"], alerts["PostgreSQLSlowQueries"]
    late = alerts["PostgreSQLReplicationLag"]
    return [
        panels.timeseries(
            PanelOptions(
                title="Connections by state",
                description=(
                    "Connections by state, stacked, against max_connections (grey) and the "
                    f"{many.value:g} at which PostgreSQLTooManyConnections warns. Bad: many "
                    "that are idle in transaction, which hold locks and do nothing."
                ),
                grid_pos=GridPos(0, 6, 8, 9),
                unit="none",
                empty=_DOWN,
            ),
            Query(f"sum by (state) (state:pg_connections:sum{_IN}) > 0", "{{state}}"),
            Query(f"sum(instance:pg_connections_max:max{_IN})", "max_connections"),
            bound=many,
            stacked=True,
            legend_calcs=_TABLE,
        ).override_by_query("B", overrides.limit_line()),
        panels.timeseries(
            PanelOptions(
                title="Age of the oldest transaction",
                description=(
                    "The age of the oldest open transaction of a client. PostgreSQLSlowQueries "
                    f"warns above {slow.value:g} s, the dashed line. A straight slope is one "
                    "transaction that does not end."
                ),
                grid_pos=GridPos(8, 6, 8, 9),
                unit="s",
                empty=_DOWN,
            ),
            Query(f"max by (instance) ({_AGE})", "{{instance}}"),
            bound=slow,
        ),
        panels.timeseries(
            PanelOptions(
                title="Replication lag over time",
                description=(
                    "How far replicas are behind; 0 on a primary. PostgreSQLReplicationLag warns "
                    f"above {late.value:g} s, the dashed line."
                ),
                grid_pos=GridPos(16, 6, 8, 9),
                unit="s",
                empty="No figure from the exporter",
            ),
            Query(f"max by (instance) ({_LAG})", "{{instance}}"),
            bound=late,
        ),
    ]


def _rows(alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    dead = alerts["PostgreSQLDeadTuples"]
    dead_rows, live_rows = (
        f"max by (datname, relname) (pg_stat_user_tables_{series}{_IN})"
        for series in ("n_dead_tup", "n_live_tup")
    )
    return [
        panels.timeseries(
            PanelOptions(
                title="Transactions and deadlocks",
                description=(
                    "Transactions a second by their end. Bad: rollbacks that rise against the "
                    "commits, and any deadlock."
                ),
                grid_pos=GridPos(0, 15, 8, 9),
                unit="ops",
                empty=_DOWN,
            ),
            *(
                Query(f"sum(rate(pg_stat_database_{series}{_IN}[$__rate_interval]))", name)
                for series, name in (
                    ("xact_commit", "commits"),
                    ("xact_rollback", "rollbacks"),
                    ("deadlocks", "deadlocks"),
                )
            ),
            legend_calcs=_TABLE,
        ).override_by_name("deadlocks", [overrides.fixed_colour("red")]),
        panels.timeseries(
            PanelOptions(
                title="Dead and live rows",
                description=(
                    "Rows of all tables: live ones, and dead ones that vacuum has not yet removed. "
                    "Bad: dead rows that only grow; autovacuum does not keep up or is held back."
                ),
                grid_pos=GridPos(8, 15, 8, 9),
                unit="short",
                empty="No table statistics",
            ),
            Query(f"sum({live_rows})", "live"),
            Query(f"sum({dead_rows})", "dead"),
            legend_calcs=_TABLE,
        ),
        panels.table(
            PanelOptions(
                title="Rows by table",
                description=(
                    "Live and dead rows of the ten tables with most dead ones. "
                    f"PostgreSQLDeadTuples warns above {dead.value:g}% dead in a large table."
                ),
                grid_pos=GridPos(16, 15, 8, 9),
                unit="short",
                empty="No table statistics",
            ),
            Query(f"topk(10, {dead_rows})", "Dead"),
            Query(f"{live_rows} and topk(10, {dead_rows})", "Live"),
            Query(
                f"100 * {dead_rows} / ({dead_rows} + {live_rows} > 0) and topk(10, {dead_rows})",
                "Dead %",
            ),
            keys={"datname": "Database", "relname": "Table"},
            sort_by="Dead",
        ).override_by_name("Dead %", overrides.column("percent", dead, width=75)),
    ]


def _backend_view() -> Sequence[Builder[dashboard.Panel]]:
    buckets = (
        f"sum by (le, query_type) "
        f"(rate(db_query_duration_seconds_bucket{_BACKEND}[$__rate_interval]))"
    )
    return [
        panels.timeseries(
            PanelOptions(
                title="Query Time p95 by type",
                description=(
                    "The time within which 95% of the backend's queries of a type are answered, as "
                    "the backend measures it. A rise here without one in PostgreSQL's figures is "
                    "time spent waiting for a connection or the network."
                ),
                grid_pos=GridPos(0, 24, 8, 9),
                unit="s",
                empty="The backend makes no query",
            ),
            Query(f"histogram_quantile(0.95, {buckets}) >= 0", "{{query_type}}"),
            legend_calcs=_TABLE,
        ),
        panels.timeseries(
            PanelOptions(
                title="Backend Connection Pool",
                description=(
                    "Connections in use in the backends' pools against their size (grey). At the "
                    "grey line requests wait for a connection."
                ),
                grid_pos=GridPos(8, 24, 8, 9),
                unit="none",
                empty="No backend reports",
            ),
            Query(f"sum(db_connections_in_use{_BACKEND})", "in use"),
            Query(f"sum(db_connections_max{_BACKEND})", "pool size"),
            legend_calcs=_TABLE,
        ).override_by_query("B", overrides.limit_line()),
        panels.timeseries(
            PanelOptions(
                title="Size by database",
                description="The size of each database. Bad: growth that the disk will not bear.",
                grid_pos=GridPos(16, 24, 8, 9),
                unit="bytes",
                empty=_DOWN,
            ),
            Query(f"sum by (datname) (pg_database_size_bytes{_IN})", "{{datname}}"),
            legend_calcs=_TABLE,
        ),
    ]
