"""Panels for what goes wrong seldom: flapping, hanging, filling up, half-blind exporters.

They stand at the foot of each dashboard, in bands of 9 rows with three panels each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import panels
from components.dashboards.panels import At, Face, Query

Panels = Sequence[Builder[dashboard.Panel]]
HEIGHT: Final = 9
_WIDTH: Final = 8
_BAND: Final = 3
_NONE: Final = "None reported"


@dataclass(frozen=True)
class Lines:
    """A panel of lines: `queries` are pairs of expression and legend."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "none"
    empty: str = _NONE


def bands(y: int, *lines: Lines) -> Panels:
    """The panels, three in a band, the first band at row `y`."""
    return list(_placed(y, lines))


def _placed(y: int, lines: Sequence[Lines]) -> Iterator[timeseries.Panel]:
    for number, one in enumerate(lines):
        band, column = divmod(number, _BAND)
        at = At(column * _WIDTH, y + band * HEIGHT, _WIDTH, HEIGHT)
        yield panels.timeseries(
            Face(one.title, one.description, at, one.unit, one.empty),
            *(Query(expr, legend) for expr, legend in one.queries),
            legend_calcs=("lastNotNull", "max"),
        )


def api(y: int, by_target: str, by_endpoint: str) -> Panels:
    """By instance: rate, errors, p95; what is stuck, the pool and file descriptors."""
    requests = f"sum by (instance) (rate(http_requests_total{by_endpoint}[$__rate_interval]))"
    errors = by_endpoint.replace("{", '{status=~"5..", ', 1)
    buckets = (
        f"sum by (instance, le) "
        f"(rate(http_request_duration_seconds_bucket{by_endpoint}[$__rate_interval]))"
    )
    return bands(
        y,
        Lines(
            "Requests by instance",
            "Requests a second that each backend answers. Bad: one that gets none, or one that "
            "has all.",
            ((requests, "{{instance}}"),),
            "reqps",
            "No backend reports",
        ),
        Lines(
            "Errors by instance",
            "The share of each backend's requests answered with a 5xx. One alone that fails is "
            "to be taken out.",
            (
                (
                    f"100 * sum by (instance) (rate(http_requests_total{errors}"
                    f"[$__rate_interval])) / ({requests} > 0)",
                    "{{instance}}",
                ),
            ),
            "percent",
            "No error",
        ),
        Lines(
            "Response Time p95 by instance",
            "The time within which each backend answers 95% of its requests. One that is slower "
            "than the others is ill or overloaded.",
            ((f"histogram_quantile(0.95, {buckets}) >= 0", "{{instance}}"),),
            "s",
            "No request",
        ),
        Lines(
            "Requests stuck",
            "Requests in progress beyond those of the hour before. BackendHanging is critical "
            "when more than 10 do not complete.",
            (
                (
                    "max by (instance, endpoint) (clamp_min("
                    f"instance_endpoint:http_requests_stuck:count{by_endpoint}, 0))",
                    "{{endpoint}} · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Database Pool Used",
            "The share of each backend's database connections lent out, over 3 minutes. At 100% "
            "requests wait (DatabasePoolExhausted).",
            (
                (
                    f"max by (instance) (100 * instance:db_pool_used:ratio3m{by_target})",
                    "{{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Restarts and File Descriptors",
            "Times each backend went down or restarted within 15 minutes (BackendFlapping above "
            "2), and the share of its file descriptors that is open, in tens of percent.",
            (
                (
                    f"max by (instance) (instance:backend_outages:count15m{by_target})",
                    "outages · {{instance}}",
                ),
                (
                    f"10 * max by (instance) (process_open_fds{by_target} / "
                    f"process_max_fds{by_target})",
                    "descriptors · {{instance}}",
                ),
            ),
        ),
    )


def ecg(y: int, by_target: str) -> Panels:
    """Whether data arrive and are analysed."""
    return bands(
        y,
        Lines(
            "Age of the newest vital sign",
            "How long ago each backend processed its last vital sign. VitalSignsStale is critical "
            "above 2 minutes while patients are active.",
            (
                (
                    f"max by (instance) (instance:vital_sign_age:seconds{by_target})",
                    "{{instance}}",
                ),
            ),
            "s",
        ),
        Lines(
            "Failed analyses (5 minutes)",
            "ECG analyses and WebAssembly calls that failed within 5 minutes "
            "(ECGProcessingFailing above 5% of all).",
            (("sum by (job) (job:ecg_processing_failures:increase5m)", "{{job}}"),),
        ),
        Lines(
            "Analyses per patient",
            "ECG analyses a minute for each active patient. A fall to nothing: ECGAnalysisStopped.",
            (("60 * max by (job) (job:ecg_analyses_per_patient:rate3m)", "{{job}}"),),
            "suffix:/min",
        ),
    )


def host(y: int, inside: str) -> Panels:
    """What fills up or fails on a host beside CPU, memory and space."""
    return bands(
        y,
        Lines(
            "Inodes free",
            "The share of inodes left on each file system. At 0 no file can be made, whatever "
            "room is left (InodesLow, InodesExhausted).",
            (
                (
                    "min by (instance, mountpoint) (100 * "
                    f"instance_mountpoint:node_filesystem_files_free:ratio{inside})",
                    "{{mountpoint}} · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Network errors",
            "Damaged packets a second on each interface. More than 1% of all: NetworkErrors.",
            (
                (
                    "max by (instance, device) "
                    f"(instance_device:node_network_errors:rate5m{inside})",
                    "{{device}} · {{instance}}",
                ),
            ),
            "pps",
        ),
        Lines(
            "Clock",
            "How far each clock is off, and 1 where a time service corrects it. 0 is bad "
            "(ClockNotSynchronised).",
            (
                (
                    f"max by (instance) (abs(node_timex_offset_seconds{inside}))",
                    "off by (s) · {{instance}}",
                ),
                (
                    f"min by (instance) (node_timex_sync_status{inside})",
                    "synchronised · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Restarts and OOM kills",
            "Processes that the kernel killed for lack of memory, and outages of node_exporter, "
            "within 15 minutes.",
            (
                (
                    f"sum by (instance) (increase(node_vmstat_oom_kill{inside}[15m]))",
                    "OOM kills · {{instance}}",
                ),
                (
                    f"max by (instance) (instance:node_exporter_outages:count15m{inside})",
                    "outages · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Kernel tables",
            "The share of the host's file descriptors and of the firewall's connection table in "
            "use.",
            (
                (
                    "100 * max by (instance) (node_filefd_allocated"
                    f"{inside} / node_filefd_maximum{inside})",
                    "descriptors · {{instance}}",
                ),
                (
                    "100 * max by (instance) (node_nf_conntrack_entries"
                    f"{inside} / node_nf_conntrack_entries_limit{inside})",
                    "connections · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Collectors that fail",
            "Parts of node_exporter that failed at the last scrape. Some fail on every host that "
            "lacks what they look for; NodeCollectorFailing names those that matter.",
            (
                (
                    f"count by (instance, collector) (node_scrape_collector_success{inside} == 0)",
                    "{{collector}} · {{instance}}",
                ),
            ),
        ),
    )


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
            "Replicas of each master, and 1 where a replica has its master.",
            (
                (
                    f"max by (instance) (instance:redis_replicas:count{inside})",
                    "replicas · {{instance}}",
                ),
                (
                    f"min by (instance) (redis_master_link_up{inside})",
                    "has its master · {{instance}}",
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


def monitoring(y: int) -> Panels:
    """What Prometheus misses, refuses or cannot do."""
    return bands(
        y,
        Lines(
            "Restarts",
            "Times a part of the monitoring went down or restarted within 15 minutes "
            "(MonitoringFlapping above 2).",
            (
                (
                    "max by (job, instance) (instance:monitoring_outages:count15m)",
                    "{{job}} · {{instance}}",
                ),
            ),
        ),
        Lines(
            "Rule evaluation",
            "How long each group of rules takes. Longer than its interval, evaluations are missed "
            "(PrometheusRulesMissed).",
            (
                (
                    "max by (rule_group) (prometheus_rule_group_last_duration_seconds)",
                    "{{rule_group}}",
                ),
            ),
            "s",
        ),
        Lines(
            "Storage and discovery failures",
            "Failures of Prometheus' storage within 3 hours and of its discovery within 15 "
            "minutes.",
            (
                ("sum by (what) (what:prometheus_storage_failures:increase3h)", "{{what}}"),
                (
                    "sum by (mechanism) (mechanism:prometheus_discovery_failures:increase15m)",
                    "discovery: {{mechanism}}",
                ),
            ),
        ),
        Lines(
            "Samples refused",
            "Times that samples were refused within 15 minutes, and why.",
            (("sum by (why) (why:prometheus_samples_refused:increase15m)", "{{why}}"),),
        ),
        Lines(
            "File descriptors",
            "The share of its file descriptors that each part of the monitoring has open.",
            (
                (
                    '100 * max by (job, instance) (process_open_fds{job!="backend"} '
                    '/ process_max_fds{job!="backend"})',
                    "{{job}} · {{instance}}",
                ),
            ),
            "percent",
        ),
        Lines(
            "Metrics missing",
            "Metrics that alerts need and that a target exported within 6 hours, but does not "
            "now. The alerts that read them cannot fire.",
            (
                (
                    'count by (job, metric) (ALERTS{alertname=~".*MetricsMissing"})',
                    "{{metric}} · {{job}}",
                ),
            ),
        ),
    )
