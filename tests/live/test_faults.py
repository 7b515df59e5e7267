"""Faults of a stack under ingestion: the table of docs/operations/failure-modes.md."""

from __future__ import annotations

import contextlib
import http.server
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import pytest
import requests
import yaml
from docker.models.containers import Container

from ops.offline import local_deploy
from tests.figures import Tell
from tests.live import stack as stacks
from tests.live.ingestion import BEATING, JOBS, answering, gap, scraped_until
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually, not_of_this_machine

STACK = "live-faults"
DATA_VOLUME = f"vitalstream-{STACK}-prometheus-data"
DISK = "96m"
# Docker's pause before a restart, the service's start, and a scrape.
BACK_SECONDS = 15
SNAPSHOT_SECONDS = 15


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """All services, Prometheus' data on a disk so small that a test can fill it."""
    with stacks.alone(STACK, docker_client):
        docker_client.volumes.create(
            DATA_VOLUME,
            driver_opts={"type": "tmpfs", "device": "tmpfs", "o": f"size={DISK},mode=0777"},
            labels={"vitalstream.stack": STACK},
        )
        # Memory is not a disk: it is gone once nobody has it mounted.
        keeper = docker_client.containers.run(
            images.get("redis-exporter", "busybox"),
            ["-c", "sleep 1800"],
            entrypoint=["sh"],
            detach=True,
            name=f"{STACK}-keeper",
            volumes={DATA_VOLUME: {"bind": "/data"}},
        )
        try:
            looked_at = ["prometheus_tsdb_wal_corruptions_total"]
            config = stacks.config(images, keepMetrics=looked_at)
            result = local_deploy.up(STACK, config, stacks.say)
            found = Stack(STACK, docker_client, config, result)
            assert eventually(lambda: found.query(BEATING), 60)
            assert eventually(lambda: len(found.query("up == 1")) >= len(JOBS) - 1, 60)
            yield found
        finally:
            local_deploy.down(docker_client, STACK, volumes=False)
            keeper.remove(force=True)


@pytest.fixture(scope="module")
def here(stack: Stack) -> Stack:
    """The stack, where its processes can be killed as a crash would: from the machine itself."""
    if elsewhere := not_of_this_machine(stack.client):
        pytest.skip(elsewhere)
    if os.geteuid() != 0:
        pytest.skip("only root can kill a container's processes from outside")
    return stack


def crash(stack: Stack, service: str) -> None:
    """`docker kill` would count as a stop by hand, after which nothing is restarted."""
    os.kill(stack.container(service).attrs["State"]["Pid"], signal.SIGKILL)


@pytest.mark.parametrize("service", [name for name in JOBS if name != "prometheus"])
def test_a_crashed_service_comes_back_by_itself(service: str, here: Stack, tell: Tell) -> None:
    if service not in here.result.urls and service == "grafana":
        pytest.skip("there is no image of Grafana here")
    assert eventually(answering(here, service), 30)
    before = here.started_at(service)
    started = time.time()
    crash(here, service)
    assert eventually(lambda: here.started_at(service) != before, BACK_SECONDS)
    assert eventually(answering(here, service, time.time()), 3 * BACK_SECONDS)
    tell(f"SIGKILL {service}: scraped again after {time.time() - started:.1f} s")


def test_prometheus_crashed_loses_only_what_it_did_not_scrape_meanwhile(
    here: Stack, tell: Tell
) -> None:
    since = time.time() - 5 * SCRAPE_SECONDS
    crashed = time.time()
    counted = scraped_until(here, crashed)
    before = here.started_at("prometheus")
    crash(here, "prometheus")
    assert eventually(lambda: here.started_at("prometheus") != before, BACK_SECONDS)
    assert eventually(answering(here, "prometheus"), 2 * BACK_SECONDS)
    assert scraped_until(here, crashed) == counted
    assert here.value("prometheus_tsdb_wal_corruptions_total") == 0
    lost = gap(here, 'up{job="prometheus"}', since)
    tell(f"SIGKILL prometheus: no sample of before lost, {lost:.0f} s without a scrape")
    assert lost <= BACK_SECONDS


def test_silences_and_what_was_told_survive_a_crash(here: Stack) -> None:
    assert eventually(answering(here, "alertmanager"), BACK_SECONDS)
    silenced = stacks.silence(here, "Nothing", "survives a crash")
    time.sleep(SNAPSHOT_SECONDS + 1)
    before = here.started_at("alertmanager")
    crash(here, "alertmanager")
    assert eventually(lambda: here.started_at("alertmanager") != before, BACK_SECONDS)

    def active() -> bool:
        try:
            found = here.get("alertmanager", f"/api/v2/silence/{silenced}")
        except (requests.RequestException, AssertionError):
            return False
        return bool(found["status"]["state"] == "active")

    assert eventually(active, BACK_SECONDS)


def test_an_alert_raised_while_alertmanager_was_away_reaches_it_afterwards(
    stack: Stack, tell: Tell
) -> None:
    alertmanager = stack.container("alertmanager")
    alertmanager.stop()
    time.sleep(3 * SCRAPE_SECONDS)
    failed = stack.value("sum(prometheus_notifications_errors_total)") or 0
    alertmanager.start()
    started = time.time()

    def known() -> bool:
        try:
            alerts = stack.get("alertmanager", "/api/v2/alerts")
        except requests.RequestException:
            return False
        return "Watchdog" in [alert["labels"]["alertname"] for alert in alerts]

    # Prometheus tells of every firing alert again each minute (--rules.alert.resend-delay).
    assert eventually(known, 75)
    tell(
        f"alertmanager away: {failed:.0f} notifications failed, "
        f"known {time.time() - started:.0f} s after its return"
    )


@dataclass
class Refusing:
    """Stands before Alertmanager: answers 503 while it refuses, and passes on what it takes."""

    url: str
    refuses: bool = True
    refused: int = 0


@contextlib.contextmanager
def refusing(stack: Stack, rules: str) -> Iterator[Refusing]:
    """Prometheus hands its alerts, and those of these rules, to what refuses them."""
    found = Refusing(stack.result.urls["alertmanager"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.refused += found.refuses
            status = 503
            if not found.refuses:
                told = {"Content-Type": "application/json"}
                answer = requests.post(found.url + self.path, body, headers=told, timeout=5)
                status = answer.status_code
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pytest would show it."""

    networks = stack.container("prometheus").attrs["NetworkSettings"]["Networks"].values()
    gateway = next(network["Gateway"] for network in networks if network["Gateway"])
    with http.server.ThreadingHTTPServer((gateway, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        olds = stack.config_files("prometheus")
        config = yaml.safe_load(olds["files"]["prometheus.yml"])
        (alertmanagers,) = config["alerting"]["alertmanagers"]
        alertmanagers["static_configs"] = [{"targets": [f"{gateway}:{server.server_port}"]}]
        changed = {"prometheus.yml": yaml.safe_dump(config), "rules/live.yml": rules}
        with stacks.edited(olds, {**olds["files"], **changed}):
            yield found
        server.shutdown()


def test_an_alert_that_alertmanager_refused_is_told_again_until_it_is_taken(
    stack: Stack, tell: Tell
) -> None:
    if elsewhere := not_of_this_machine(stack.client):
        pytest.skip(elsewhere)
    rule = {"alert": "LiveRefused", "expr": "vector(1)"}
    rules = yaml.safe_dump({"groups": [{"name": "live", "rules": [rule]}]})

    def known() -> bool:
        alerts = stack.get("alertmanager", "/api/v2/alerts")
        return "LiveRefused" in [alert["labels"]["alertname"] for alert in alerts]

    # After a reload Prometheus may know of no Alertmanager yet, and tells a minute later.
    with refusing(stack, rules) as alertmanager:
        assert eventually(lambda: alertmanager.refused, 75)
        # What PrometheusNotificationsFailing stands on.
        errors = "increase(prometheus_notifications_errors_total[1m])"
        assert eventually(lambda: stack.query(f"{errors} > 0"), 75)
        assert not known()
        alertmanager.refuses = False
        taken = time.time()
        assert eventually(known, 60 + 2 * BACK_SECONDS)
    tell(
        f"alertmanager answers 503: {alertmanager.refused} messages refused, the alert was there "
        f"{time.time() - taken:.0f} s after it took them again"
    )


def test_after_a_full_disk_only_a_restart_saves_what_comes(stack: Stack, tell: Tell) -> None:
    def age() -> float:
        found = stack.value("time() - max(timestamp(up))")
        return math.inf if found is None else found

    prometheus = stack.container("prometheus")
    before = time.time()
    counted = scraped_until(stack, before)
    prometheus.exec_run(["sh", "-c", "cat /dev/zero > /prometheus/filler"])
    assert eventually(lambda: age() > 3 * SCRAPE_SECONDS, 60)
    prometheus.exec_run(["rm", "/prometheus/filler"])
    assert eventually(lambda: age() < 2 * SCRAPE_SECONDS, 30)
    # What PrometheusWALDamaged stands on.
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_writes_failed_total > 0"), 30)
    restarted = time.time()
    prometheus.restart()
    assert eventually(answering(stack, "prometheus", time.time()), 2 * BACK_SECONDS)
    assert scraped_until(stack, before) == counted
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_writes_failed_total == 0"), 60)
    lost = gap(stack, 'up{job="node"}', before)
    # From the disk's being full to the restart, whatever was scraped in between.
    assert lost >= restarted - before - 3 * SCRAPE_SECONDS
    tell(
        f"full disk, room again, restarted after {restarted - before:.0f} s: no sample of before "
        f"lost, a gap of {lost:.0f} s"
    )


def cut_the_last_record(keeper: Container) -> None:
    """Takes the last byte of it. A page of the log that is not full yet ends in zeros, and to read
    them is no error: a file that was cut among them was not repaired.
    """

    def run(*command: str) -> bytes:
        status, output = keeper.exec_run(command, user="0")
        assert status == 0, output
        return bytes(output)

    segments = run("find", "/data/wal", "-maxdepth", "1", "-name", "[0-9]*").decode().split()
    written = ((name, run("cat", name).rstrip(b"\0")) for name in sorted(segments, reverse=True))
    name, content = next((name, content) for name, content in written if content)
    end = f"of={name}", f"seek={len(content) - 1}"
    run("busybox", "dd", "if=/dev/null", "bs=1", *end)


def test_a_truncated_log_is_repaired_and_its_end_alone_is_lost(stack: Stack, tell: Tell) -> None:
    prometheus = stack.container("prometheus")
    first = stack.value("min(min_over_time(timestamp(up{job='prometheus'})[1h:1s]))")
    prometheus.stop()
    cut_the_last_record(stack.client.containers.get(f"{STACK}-keeper"))
    started = time.time()
    prometheus.start()
    assert eventually(answering(stack, "prometheus", time.time()), 2 * BACK_SECONDS)
    assert b"repair" in prometheus.logs(since=int(started))
    assert stack.value("min(min_over_time(timestamp(up{job='prometheus'})[1h:1s]))") == first
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_corruptions_total >= 1"), 60)
    tell("truncated log: repaired and counted, the oldest sample still there")
