"""Run three stacks side by side: fast intervals, real intervals, and a Prometheus that dies."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import docker
import requests
import yaml

from components.docker.config_files_provider import ConfigFilesProvider
from components.rules import overrides as alert_overrides
from components.rules.overrides import AlertOverride
from components.rules.rule_set import RuleSet
from ops.offline import program
from ops.offline.local_deploy import containers
from tests.certificates import authority
from tests.live import faults
from tests.live.delivery import (
    BOUND_SECONDS,
    Act,
    Expected,
    Outcome,
    Pace,
    Subject,
    messages_of,
    record,
    subject,
)
from tests.live.delivery_cases import (
    BAD,
    CONNECTIONS,
    EXPECTED,
    FAST,
    FAST_ALERTS,
    GOOD,
    LATENCY_SECONDS,
    MORE_BAD,
    NAMES,
    REAL,
    REAL_DELAY,
    TRANSACTION_SECONDS,
    TURKISH,
)
from tests.live.faults import NoDiskError, SmallDisk
from tests.live.sinks import HEARTBEAT, Message
from tests.live.stack import eventually, say

CONTAINER = "docker:index/container:Container"
STARTING_SECONDS = 30

# Alertmanager keeps an alert for four times this after Prometheus last sent it.
RESEND_SECONDS = 5
VALID_SECONDS = 4 * RESEND_SECONDS
BEAT_SECONDS = 60
SLACK_SECONDS = 15

# Alerts on services that are left out.
REAL_ALERTS = {
    alert: {"enabled": False} for alert in ("PostgreSQLDown", "RedisDown", "GrafanaDown")
}
EXPORTERS = {"postgres-exporter", "redis-exporter", "node-exporter"}


@dataclass(frozen=True)
class Run:
    """Results of a stack's faults.

    Times are Unix times, counts are by integration; `others` are the states of alerts that nobody
    is notified of, `full` the rows of the overview's list on the alert of full disks.
    """

    outcomes: list[Outcome]
    others: dict[str, str]
    messages: list[Message]
    heartbeats: list[float]
    delivered: dict[str, float]
    failed: dict[str, float]
    full: tuple[str, ...] = ()
    watchdog_valid_seconds: float = 0.0
    killed: float = 0.0
    started: float = 0.0

    def by_fault(self) -> dict[str, Outcome]:
        """Return each fault's outcome by its name in EXPECTED."""
        return {
            what: out
            for what, expected in EXPECTED.items()
            for out in self.outcomes
            if out.expected is expected
        }


@dataclass(frozen=True)
class Runs:
    """Runs of the three stacks; `no_disk` is the reason why no disk could be filled, if any."""

    fast: Future[Run]
    real: Future[Run]
    beat: Future[Run]
    no_disk: str


def play_all(client: docker.DockerClient, images: dict[str, str]) -> Runs:
    """Start the stacks one after the other, run their faults in parallel and remove them."""
    ca, no_disk, disks = authority(), "", list[SmallDisk]()
    with ExitStack() as up, ThreadPoolExecutor(3) as pool:

        def bring_up(name: str, pace: Pace, leave_out: set[str], **values: Any) -> Subject:
            gone = frozenset({"grafana", *leave_out})
            return up.enter_context(subject(name, client, images, pace, gone, ca, **values))

        # The longest run starts first.
        gone = {"demo-traffic", "demo-postgres", "demo-redis", *EXPORTERS}
        real = bring_up("live-delivery-real", REAL, gone, demo=True, alerts=REAL_ALERTS)
        real_run = pool.submit(play_real, real)
        try:
            disks = [up.enter_context(faults.small_disk()) for _ in range(2)]
        except NoDiskError as error:
            no_disk = f"no small disk can be mounted here: {error}"
        gone = {"demo-traffic"}
        fast = bring_up("live-delivery", FAST, gone, demo=True, instanceNames=NAMES)
        fast_run = pool.submit(play_fast, fast, disks)
        beat = bring_up("live-delivery-beat", FAST, EXPORTERS, **TURKISH)
        beat_run = pool.submit(play_beat, beat)
        return Runs(fast_run, real_run, beat_run, no_disk)


def play_real(found: Subject) -> Run:
    """Make BackendDown fire with the default settings."""
    _wait_until_watched(found, "backend")
    act = found.play([(faults.killed("demo-backend"), _expected("backend killed, real times"))])
    watchdog = next(one for one in found.alerts() if one["labels"]["alertname"] == "Watchdog")
    ends, updated = (datetime.fromisoformat(watchdog[key]) for key in ("endsAt", "updatedAt"))
    return replace(_run(found, act), watchdog_valid_seconds=(ends - updated).total_seconds())


def play_fast(found: Subject, disks: Sequence[SmallDisk]) -> Run:
    """Make the independent faults first, then those that all others would follow from."""
    made = faults.Requests(found.stack)
    gather_less(found)
    _wait_until_watched(found, "backend", "node", "postgres", "redis")
    # Not sooner: while a stack starts, some services are not up yet.
    _alert_soon(found)
    made.wait_until_ready()
    made.good(GOOD)
    time.sleep(2 * FAST.scrape)
    full = [(faults.full_disks(disks), _expected("full disk"))] if disks else []
    first = found.play(
        [
            (
                faults.failing_and_slow(GOOD, BAD, LATENCY_SECONDS),
                _expected("answers of 500", "slow answers"),
            ),
            (faults.open_transaction(TRANSACTION_SECONDS), _expected("open transaction")),
            (faults.connections(CONNECTIONS), _expected("81 connections")),
            (faults.killed("redis-exporter"), _expected("Redis' exporter killed")),
            *full,
        ],
    )
    rows = found.listed("DiskSpaceLow")
    failing = faults.failing_and_slow(50 * BAD, MORE_BAD, LATENCY_SECONDS)
    second = found.play(
        [
            (faults.seen(failing, FAST.scrape + 1), []),
            (faults.killed("demo-backend"), _expected("backend killed")),
            (faults.killed("demo-redis"), _expected("Redis killed")),
            (faults.killed("demo-postgres"), _expected("PostgreSQL killed")),
            (faults.killed("node-exporter"), _expected("node_exporter killed")),
        ],
        others=["HighErrorRate", "HighResponseTime"],
    )
    # A duplicate would be sent at the group's next flush.
    time.sleep(FAST.group)
    return replace(_run(found, first, second), full=rows)


def play_beat(found: Subject) -> Run:
    """Kill Prometheus and start it again; meanwhile one of two backends is not there."""
    _forget_in_seconds(found)
    prometheus = found.stack.container("prometheus")
    begun = time.time()
    found.sink.wait_until(lambda _: any(beat > begun for beat in found.heartbeats()), BEAT_SECONDS)
    prometheus.kill()
    killed = time.time()
    time.sleep(BEAT_SECONDS + SLACK_SECONDS)
    prometheus.start()
    started = time.time()
    found.sink.wait_until(
        lambda _: any(beat > started for beat in found.heartbeats()), BEAT_SECONDS
    )
    found.sink.wait_until(
        lambda messages: bool(messages_of("BackendInstanceDown", messages)),
        REAL_DELAY + BOUND_SECONDS,
    )
    return replace(_run(found), killed=killed, started=started)


def _expected(*faults_: str) -> list[Expected]:
    return [EXPECTED[fault] for fault in faults_]


def _run(found: Subject, *acts: Act) -> Run:
    messages = found.sink.messages
    for message in messages:
        say(f"{datetime.fromtimestamp(message.at, UTC):%H:%M:%S.%f} {message.to} {message.title}")
    record(acts, messages)
    return Run(
        outcomes=[out for act in acts for out in act.outcomes],
        others={name: state for act in acts for name, state in act.others.items()},
        messages=messages,
        heartbeats=found.heartbeats(),
        delivered=found.counted("alertmanager_notifications_total"),
        failed=found.counted("alertmanager_notification_requests_failed_total"),
    )


def _wait_until_watched(found: Subject, *jobs: str) -> None:
    there = f'count(up{{job=~"{"|".join(jobs)}"}} == 1)'

    def watched() -> bool:
        return found.stack.value(there) == len(jobs)

    assert eventually(watched, STARTING_SECONDS), f"not every target of {', '.join(jobs)} is up"


def _alert_soon(found: Subject) -> None:
    """Edit the rules and reload, as an `up` with FAST_ALERTS would."""
    olds = found.stack.config_files("prometheus")
    overrides = {name: AlertOverride(**values) for name, values in FAST_ALERTS.items()}
    texts = {path: text for path, text in olds["files"].items() if path.startswith("rules/")}
    changed = alert_overrides.apply(RuleSet.of(texts), overrides).files
    ConfigFilesProvider().update("", olds, {**olds, "files": {**olds["files"], **changed}})


def gather_less(found: Subject, *names: str) -> None:
    """Reduce Alertmanager's group_interval, for which there is no setting.

    Resolutions of warnings otherwise take 5 minutes. group_wait stays. `names` are the
    Alertmanagers to change.
    """
    for name in names or ("alertmanager",):
        _gather_less(found, name)


def _gather_less(found: Subject, name: str) -> None:
    olds = found.stack.config_files(name)
    config = yaml.safe_load(olds["files"]["alertmanager.yml"])
    for route in config["route"]["routes"]:
        if route["receiver"] != HEARTBEAT:
            route["group_interval"] = f"{FAST.group:g}s"
    files = {**olds["files"], "alertmanager.yml": yaml.safe_dump(config)}
    ConfigFilesProvider().update("", olds, {**olds, "files": files})


def _forget_in_seconds(found: Subject) -> None:
    """Make Prometheus resend its alerts more often, so that each expires sooner.

    By default Alertmanager keeps alerts for 4 minutes after their Prometheus died.
    """
    stack = found.stack
    inputs = next(
        program.unwrap(made.inputs)
        for made in stack.result.registrations
        if (made.type, made.name) == (CONTAINER, "prometheus")
    )
    stack.container("prometheus").remove(force=True)
    _restart_alertmanager(found)
    flag = f"--rules.alert.resend-delay={RESEND_SECONDS}s"
    changed = {**inputs, "command": [*inputs["command"], flag]}
    containers.create(stack.client, changed, threading.Event(), say)


def _restart_alertmanager(found: Subject) -> None:
    """Kill and start Alertmanager, which then has neither alerts nor its notification log."""
    container = found.stack.container("alertmanager")
    container.kill()
    container.start()

    def ready() -> bool:
        with contextlib.suppress(requests.RequestException):
            return found.alerts() == []
        return False

    # Prometheus resends alerts that it could not deliver only after a minute.
    assert eventually(ready, STARTING_SECONDS), "Alertmanager does not come back"
