"""Alerts on alerts that cannot fire: a metric that one reads is missing while its target is up.

`python -m components.rules.blindness` writes `rules/blindness.yml` from the other rule files.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from components.common import yaml_text
from components.promql.metrics import read_by
from components.rules.rule_set import RULES_DIR, shipped_files

RULE_FILE: Final = "blindness.yml"
FIRST_STEP: Final = "Compare `/metrics` of the target with the last deployment: what was renamed?"
RUNBOOK: Final = "https://github.com/vitalstream/monitoring/blob/main/docs/runbooks/{}.md"


@dataclass(frozen=True)
class Job:
    """A scrape job whose metrics alerts need, and the alert that says when one is missing.

    `prefix` is what its metrics begin with; a job without one has all metrics of `files` that no
    other job's prefix claims. `required` are the metrics that every version has from the first
    scrape on: they are missed even if they were never there. Of the others, one is missed that was
    there within the last 6 hours. `only` is a matcher of the targets that have them.
    """

    name: str
    alert: str
    called: str
    service: str
    dashboard: str
    required: tuple[str, ...]
    prefix: str = ""
    files: tuple[str, ...] = ()
    only: str = ""


JOBS: Final = (
    Job(
        "backend",
        "BackendMetricsMissing",
        "the backend",
        "backend",
        "vitalstream-api",
        ("http_requests_total", "http_request_duration_seconds_count"),
        files=("backend.yml", "slo.yml"),
    ),
    Job(
        "postgres",
        "PostgreSQLMetricsMissing",
        "postgres_exporter",
        "database",
        "vitalstream-postgresql",
        ("pg_up", "pg_stat_activity_count", "pg_settings_max_connections"),
        prefix="pg_",
    ),
    Job(
        "redis",
        "RedisMetricsMissing",
        "redis_exporter",
        "cache",
        "vitalstream-redis",
        ("redis_up", "redis_memory_used_bytes"),
        prefix="redis_",
        only='sentinel=""',
    ),
    Job(
        "node",
        "NodeMetricsMissing",
        "node_exporter",
        "host",
        "vitalstream-host",
        ("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_filesystem_avail_bytes"),
        prefix="node_",
    ),
    Job(
        "prometheus",
        "PrometheusMetricsMissing",
        "Prometheus",
        "monitoring",
        "vitalstream-monitoring",
        ("prometheus_notifications_alertmanagers_discovered",),
        prefix="prometheus_",
    ),
    Job(
        "alertmanager",
        "AlertmanagerMetricsMissing",
        "Alertmanager",
        "monitoring",
        "vitalstream-monitoring",
        ("alertmanager_config_last_reload_successful",),
        prefix="alertmanager_",
    ),
)

_AFTER_USE: Final = "a counter with labels is there only after its first use since a restart"
_WITH_WHAT_IT_COUNTS: Final = "comes and goes with the slot, replica or disk that it is about"
EXEMPTIONS: Final[Mapping[str, str]] = {
    "anomalies_detected_total": _AFTER_USE,
    "auth_attempts_total": _AFTER_USE,
    "http_stream_failures_total": _AFTER_USE,
    "pg_replication_slots_pg_wal_lsn_diff": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slots_active": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slots_slot_is_active": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slots_slot_current_wal_lsn": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slots_slot_confirmed_flush_lsn": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slot_slot_is_active": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slot_slot_current_wal_lsn": _WITH_WHAT_IT_COUNTS,
    "pg_replication_slot_slot_confirmed_flush_lsn": _WITH_WHAT_IT_COUNTS,
    "pg_stat_replication_pg_wal_lsn_diff": "PostgreSQLReplicaLost is about its end",
    "pg_stat_user_tables_n_dead_tup": "a database may have no table of its own",
    "pg_stat_user_tables_n_live_tup": "a database may have no table of its own",
    "pg_scrape_collector_success": "missing with the rest where PostgreSQL refuses connections",
    "pg_stat_archiver_failed_count": "a replica has none, so it goes with a switchover",
    "redis_master_link_up": "a replica that becomes the master has none",
    "redis_uptime_in_seconds": "missing while Redis is down, which is RedisDown's",
    **dict.fromkeys(
        (
            "redis_sentinel_master_ok_sentinels",
            "redis_sentinel_master_ok_slaves",
            "redis_sentinel_master_sentinels",
            "redis_sentinel_master_setting_ckquorum",
            "redis_sentinel_master_status",
        ),
        "only a Sentinel has it, and RedisSentinelDown says when it does not answer",
    ),
    "node_md_disks": _WITH_WHAT_IT_COUNTS,
    "node_md_disks_required": _WITH_WHAT_IT_COUNTS,
    "node_nf_conntrack_entries": "comes with the kernel's module, at the first rule of a firewall",
    "node_nf_conntrack_entries_limit": "comes with the kernel's module",
    "alertmanager_cluster_members": "one Alertmanager alone has none",
}
"""Metrics that may be missing without a fault, and why."""


def read_metrics(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """The scraped metrics that the rules of each file's text read, by the file's name."""
    groups = {name: yaml_text.load(text)["groups"] for name, text in texts.items()}
    rules = [(name, rule) for name, found in groups.items() for g in found for rule in g["rules"]]
    recorded = {str(rule["record"]) for _, rule in rules if "record" in rule}
    reads: dict[str, set[str]] = defaultdict(set)
    for name, rule in rules:
        reads[name] |= read_by(str(rule["expr"])).names - recorded
    return dict(reads)


def needed(job: Job, reads: Mapping[str, set[str]]) -> list[str]:
    """The metrics of a job that some rule reads, without those that may be missing."""
    others = tuple(other.prefix for other in JOBS if other.prefix)
    metrics = {
        metric
        for file, names in reads.items()
        for metric in names
        if (metric.startswith(job.prefix) if job.prefix else file in job.files)
        and (job.prefix or not metric.startswith((*others, "process_", "scrape_")))
    }
    return sorted(metrics - {"up"} - set(EXEMPTIONS))


def rendered(texts: Mapping[str, str]) -> str:
    """The text of `blindness.yml` for the texts of the other rule files, by their names."""
    reads = read_metrics({name: text for name, text in texts.items() if name != RULE_FILE})
    return "".join(_lines(JOBS, reads))


def _lines(jobs: Iterable[Job], reads: Mapping[str, set[str]]) -> Iterator[str]:
    yield (
        "# Written by `python -m components.rules.blindness`: do not edit.\n"
        "# For each job: which metrics that alerts need are there, and an alert when one is\n"
        "# missing while its target is up. Exemptions: components/rules/blindness.py.\n"
        "groups:\n  - name: blindness\n    rules:\n"
    )
    yield "\n".join(_of_job(job, needed(job, reads)) for job in jobs)


def _of_job(job: Job, metrics: list[str]) -> str:
    series = f"instance_metric:{job.name}_metrics_present:bool"
    of_job = "{" + ",".join(filter(None, (f'job="{job.name}"', job.only))) + "}"
    present = [_named(f"group by (job, instance) ({name}{of_job})", name) for name in metrics]
    required = [_named(f"up{of_job}", name) for name in job.required]
    return f"""\
      - record: {series}
        expr: |
          max by (job, instance, metric) (
            {_any_of(present, 14)}
          )
      - alert: {job.alert}
        expr: |
          max by (job, instance, metric) (
            (
              {_any_of([f"max_over_time({series}[6h])", *required], 16)}
            )
            unless on (job, instance, metric) {series}
            and on (job, instance) up{of_job} == 1
          ) == 1
        for: 10m
        labels:
          severity: warning
          service: {job.service}
        annotations:
          summary: '{{{{ .Labels.metric }}}} of {job.called} is missing'
          description: >-
            {{{{ .Labels.instance }}}} of job {{{{ .Labels.job }}}} answers (up = {{{{ $value }}}})
            without {{{{ .Labels.metric }}}}. The alerts that read it cannot fire.
          first_step: '{FIRST_STEP}'
          runbook_url: {RUNBOOK.format(job.alert)}
          dashboard_uid: {job.dashboard}
"""


def _named(expression: str, metric: str) -> str:
    return f'label_replace({expression}, "metric", "{metric}", "", "")'


def _any_of(expressions: list[str], column: int) -> str:
    return f"\n{' ' * column}or ".join(expressions)


def main() -> None:
    """Write the rule file."""
    path = RULES_DIR / RULE_FILE
    path.write_text(rendered(shipped_files()), encoding="utf-8")
    print(f"written: {path.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
