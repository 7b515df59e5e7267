"""Redis and PostgreSQL: what goes wrong seldom, at the foot of their dashboards."""

from components.dashboards.faults import Lines, Panels, bands


def redis(y: int, inside: str) -> Panels:
    """Whether Redis can save, replicates, and stays up."""
    saved = ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
    names = ("snapshot", "append-only file", "rewrite")
    return bands(
        y,
        Lines(
            "Persistence",
            "1 where the last write to the disk succeeded. 0: RedisCannotSave.",
            tuple(
                (f"min by (instance) (redis_{series}{inside})", f"{name} · {{{{instance}}}}")
                for series, name in zip(saved, names, strict=True)
            ),
        ),
        Lines(
            "Replication",
            "Replicas of each master, and 1 where a replica has its master; replicas that Sentinel "
            "could make the master, and slots that Redis Cluster has lost.",
            (
                (
                    f"max by (instance) (instance:redis_replicas:count{inside})",
                    "replicas · {{instance}}",
                ),
                (
                    f"min by (instance) (redis_master_link_up{inside})",
                    "has its master · {{instance}}",
                ),
                (
                    f"max by (master_name) (redis_sentinel_master_ok_slaves{inside})",
                    "could take over · {{master_name}}",
                ),
                (
                    f"max by (instance) (instance:redis_cluster_slots_lost:count{inside})",
                    "slots lost · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Restarts",
            "Times Redis or its exporter went down or restarted within 15 minutes "
            "(RedisFlapping above 2).",
            (
                (f"max by (instance) (instance:redis_outages:count15m{inside})", "Redis"),
                (
                    f"max by (instance) (instance:redis_exporter_outages:count15m{inside})",
                    "exporter · {{instance}}",
                ),
            ),
        ),
    )


def postgresql(y: int, inside: str) -> Panels:
    """Connections against their limit, locks, WAL, slots, replicas, restarts."""
    by = "by (instance, datname)"
    return bands(
        y,
        Lines(
            "Connections in use",
            "The share of the connections that applications can have. "
            "PostgreSQLConnectionsExhausted is critical above 95%.",
            (
                (
                    f"max by (instance) (100 * instance:pg_connections_used:ratio{inside})",
                    "{{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Locks and deadlocks",
            "Exclusive locks held now, and deadlocks within 10 minutes.",
            (
                (
                    f"sum {by} (pg_locks_count"
                    + inside.replace("{", '{mode=~".*exclusivelock", ', 1)
                    + ")",
                    "locks · {{datname}}",
                ),
                (
                    f"sum {by} (increase(pg_stat_database_deadlocks{inside}[10m]))",
                    "deadlocks · {{datname}}",
                ),
            ),
        ),
        Lines(
            "WAL size",
            "The write-ahead log, in multiples of what it is set to keep. Above 3 something holds "
            "it back (PostgreSQLWALGrowing).",
            ((f"max by (instance) (instance:pg_wal_size:ratio{inside})", "{{instance}}"),),
        ),
        Lines(
            "WAL held back by slots",
            "What each replication slot keeps of the log. It grows while its replica is away.",
            (
                (
                    f"max by (instance, slot_name) (slot:pg_wal_retained:bytes{inside})",
                    "{{slot_name}}",
                ),
            ),
            "bytes",
            "No slot",
        ),
        Lines(
            "Replicas and archiver",
            "Replicas connected to each primary, and failures of the archiver within 15 minutes.",
            (
                (
                    f"max by (instance) (instance:pg_replicas:count{inside})",
                    "replicas · {{instance}}",
                ),
                (
                    f"sum by (instance) (increase(pg_stat_archiver_failed_count{inside}[15m]))",
                    "archiver failed · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Oldest transaction id",
            "How many million transactions old the oldest rows of each database are. At about "
            "2000 PostgreSQL takes no more writes (PostgreSQLWraparoundNear).",
            (
                (
                    f"max {by} (datname:pg_transaction_ids_used:max{inside}) / 1000000",
                    "{{datname}}",
                ),
            ),
            "none",
            "The collector is off",
        ),
        Lines(
            "Restarts and collectors",
            "Times PostgreSQL or its exporter went down or crashed within 15 minutes, and "
            "collectors of the exporter that fail.",
            (
                (f"max by (instance) (instance:pg_outages:count15m{inside})", "PostgreSQL"),
                (
                    f"max by (instance) (instance:postgres_exporter_outages:count15m{inside})",
                    "exporter",
                ),
                (
                    f"count by (instance, collector) (pg_scrape_collector_success{inside} == 0)",
                    "fails: {{collector}}",
                ),
            ),
        ),
    )
