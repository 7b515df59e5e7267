"""What Prometheus stores of what the targets show."""

from __future__ import annotations

import re

import pytest
import requests

from components.rules.rule_set import RuleSet
from tests.live.stack import TIMEOUT_SECONDS, Stack, eventually

UNREAD = "go_goroutines"
# Empty on a young, healthy demo: the name, and why.
EMPTY = {
    "table:pg_dead_tuples:ratio": "of tables with more than 10000 dead rows",
    "instance:vitalstream_backup_age:seconds": "of a stack that was once kept by `ops backup`",
    "certificate:not_after_timestamp_seconds:min": "of a stack with a certificate",
    "certificate:validity_left_days:min": "of a stack with a certificate",
    "instance:alertmanager_peers_missing:count": "of several Alertmanagers",
    "instance:pg_connections_refused:bool": "of a PostgreSQL without a free connection",
    "instance:redis_unlimited_host_memory:ratio": "of a Redis without a limit on its memory",
    "slot:pg_wal_retained:bytes": "of a replication slot",
    "master:redis_sentinel_master_up:max": "of a Sentinel",
    "master:redis_sentinel_spare_sentinels:min": "of a Sentinel",
    "master:redis_sentinel_ok_replicas:max": "of a Sentinel",
    "instance:redis_cluster_slots_lost:count": "of a node of a Redis Cluster",
    "instance:pg_blocking_locks:count": "of a table that is locked",
    "endpoint:http_stream_failures:increase5m": "of a backend that streams",
    "job:websocket_connections_lost:ratio5m": "of a backend that had 10 WebSockets 5 minutes ago",
}
# Empty or not, by what the machine does and how old the demo is.
SOMETIMES = {
    "endpoint_status:http_server_errors_new:sum": "of an endpoint's first errors",
    "instance_mountpoint:node_filesystem_full_in:hours": "of a disk that fills",
    "job:slo_availability_burn:fast": "of a budget that burns fast",
    "job:slo_latency_burn:fast": "of a budget that burns fast",
    "job:active_patients_left:ratio5m": "of a ward that had 5 patients 5 minutes ago",
}


@pytest.mark.parametrize("job", ["alertmanager", "prometheus", "node", "postgres", "redis"])
def test_every_metric_that_a_target_shows_is_stored(live: Stack, job: str) -> None:
    shown, kept = (
        f'scrape_samples_{what}{{job="{job}"}}' for what in ("scraped", "post_metric_relabeling")
    )
    assert eventually(lambda: live.query(f"{shown} > 0"), 60)
    assert live.query(f"{shown} != {kept}") == []


def test_a_metric_that_nothing_reads_is_stored(live: Stack) -> None:
    url = f"{live.result.urls['prometheus']}/metrics"
    shown = requests.get(url, timeout=TIMEOUT_SECONDS).text
    assert re.search(rf"^{UNREAD} ", shown, re.MULTILINE)
    assert UNREAD not in RuleSet.shipped().metrics_read.reads.names
    assert eventually(lambda: live.query(UNREAD), 60)


def test_every_recording_rule_has_something_to_record(live: Stack) -> None:
    recorded = {name for name, rule in live.rules().items() if rule["type"] == "recording"}

    def empty() -> set[str]:
        return {name for name in recorded - {*EMPTY, *SOMETIMES} if not live.query(name)}

    eventually(lambda: not empty(), 75)
    assert empty() == set()


def test_what_is_said_to_be_empty_is(live: Stack) -> None:
    assert [name for name in EMPTY if live.query(name)] == []
