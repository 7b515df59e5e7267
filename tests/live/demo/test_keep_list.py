"""What Prometheus stores of what the targets show."""

from __future__ import annotations

import re

import pytest
import requests
import yaml

from tests.live.demo.test_config_files import MARKER
from tests.live.stack import TIMEOUT_SECONDS, Stack, eventually

MADE_BY_PROMETHEUS = re.compile(r"up|scrape_\w+|ALERTS|ALERTS_FOR_STATE")
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


@pytest.fixture(scope="module")
def keep(live: Stack) -> re.Pattern[str]:
    config = yaml.safe_load(live.config_files("prometheus")["files"]["prometheus.yml"])
    return re.compile(config["scrape_configs"][0]["metric_relabel_configs"][0]["regex"])


def test_nothing_is_stored_that_is_not_on_the_list(live: Stack, keep: re.Pattern[str]) -> None:
    recorded = {name for name, rule in live.rules().items() if rule["type"] == "recording"}
    assert eventually(lambda: live.query("node_load5"), 60)
    # A rule of another test of this stack is gone, and what it recorded is not.
    scraped = set(live.ask("label/__name__/values")) - recorded - {MARKER}
    assert {
        name for name in scraped if not (keep.fullmatch(name) or MADE_BY_PROMETHEUS.fullmatch(name))
    } == set()


@pytest.mark.parametrize(
    ("service", "dropped", "stored"),
    [
        ("alertmanager", "go_goroutines", "alertmanager_config_last_reload_successful"),
        ("prometheus", "go_goroutines", "process_start_time_seconds"),
    ],
)
def test_what_a_target_shows_and_nothing_reads_is_not_stored(
    live: Stack, service: str, dropped: str, stored: str
) -> None:
    url = f"{live.result.urls[service]}/metrics"
    shown = requests.get(url, timeout=TIMEOUT_SECONDS).text
    assert re.search(rf"^{dropped} ", shown, re.MULTILINE)
    assert eventually(lambda: live.query(stored), 60)
    assert live.query(dropped) == []


def test_every_recording_rule_has_something_to_record(live: Stack) -> None:
    recorded = {name for name, rule in live.rules().items() if rule["type"] == "recording"}

    def empty() -> set[str]:
        return {name for name in recorded - {*EMPTY, *SOMETIMES} if not live.query(name)}

    eventually(lambda: not empty(), 75)
    assert empty() == set()


def test_what_is_said_to_be_empty_is(live: Stack) -> None:
    assert [name for name in EMPTY if live.query(name)] == []
