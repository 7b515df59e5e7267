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
from tests.figures import ReportFigure
from tests.live import stack as stacks
from tests.live.ingestion import BEATING, JOBS, answering, gap, scraped_until
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually, not_of_this_machine

STACK = "live-faults"
DATA_VOLUME = f"vitalstream-{STACK}-prometheus-data"
DISK = "96m"
# Docker's restart delay, the service's start and one scrape.
BACK_SECONDS = 15
SNAPSHOT_SECONDS = 15


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """Start all services, with Prometheus' data on a volume small enough to fill."""
    with stacks.alone(STACK, docker_client):
        docker_client.volumes.create(
            DATA_VOLUME,
            driver_opts={"type": "tmpfs", "device": "tmpfs", "o": f"size={DISK},mode=0777"},
            labels={"vitalstream.stack": STACK},
        )
        # A tmpfs volume loses its content once no container has it mounted.
        keeper = docker_client.containers.run(
            images.get("redis-exporter", "busybox"),
            ["-c", "sleep 1800"],
            entrypoint=["sh"],
            detach=True,
            name=f"{STACK}-keeper",
            volumes={DATA_VOLUME: {"bind": "/data"}},
        )
        try:
            config = stacks.config(images)
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
    """Stack whose processes the test can kill from the host, as a crash would."""
    if elsewhere := not_of_this_machine(stack.client):
        pytest.skip(elsewhere)
    if os.geteuid() != 0:
        pytest.skip("only root can kill a container's processes from outside")
    return stack


def crash(stack: Stack, service: str) -> None:
    """Kill the service's process: `docker kill` counts as a manual stop and is not restarted."""
    os.kill(stack.container(service).attrs["State"]["Pid"], signal.SIGKILL)


@pytest.mark.parametrize("service", [name for name in JOBS if name != "prometheus"])
def test_crashed_service_restarts(service: str, here: Stack, report_figure: ReportFigure) -> None:
    if service not in here.result.urls and service == "grafana":
        pytest.skip("no image of Grafana is available")
    assert eventually(answering(here, service), 30)
    before = here.started_at(service)
    started = time.time()
    crash(here, service)
    assert eventually(lambda: here.started_at(service) != before, BACK_SECONDS)
    assert eventually(answering(here, service, time.time()), 3 * BACK_SECONDS)
    report_figure(f"SIGKILL {service}: scraped again after {time.time() - started:.1f} s")


def test_prometheus_crash_keeps_stored_samples(here: Stack, report_figure: ReportFigure) -> None:
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
    report_figure(f"SIGKILL prometheus: no sample of before lost, {lost:.0f} s without a scrape")
    assert lost <= BACK_SECONDS


def test_alertmanager_crash_keeps_silences(here: Stack) -> None:
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


def test_alertmanager_return_receives_alert_raised_during_outage(
    stack: Stack, report_figure: ReportFigure
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

    # Prometheus resends every firing alert each minute (--rules.alert.resend-delay).
    assert eventually(known, 75)
    report_figure(
        f"alertmanager away: {failed:.0f} notifications failed, "
        f"known {time.time() - started:.0f} s after its return"
    )


@dataclass
class RefusingProxy:
    """Proxy in front of Alertmanager that answers 503 while it refuses and forwards otherwise."""

    url: str
    refuses: bool = True
    refused: int = 0


@contextlib.contextmanager
def refusing(stack: Stack, rules: str) -> Iterator[RefusingProxy]:
    """Send Prometheus' alerts, including those of these rules, through the refusing proxy."""
    found = RefusingProxy(stack.result.urls["alertmanager"])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.refused += found.refuses
            status = 503
            if not found.refuses:
                headers = {"Content-Type": "application/json"}
                answer = requests.post(found.url + self.path, body, headers=headers, timeout=5)
                status = answer.status_code
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: pytest would show it."""

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


def test_prometheus_resends_alert_until_alertmanager_accepts_it(
    stack: Stack, report_figure: ReportFigure
) -> None:
    if elsewhere := not_of_this_machine(stack.client):
        pytest.skip(elsewhere)
    rule = {"alert": "LiveRefused", "expr": "vector(1)"}
    rules = yaml.safe_dump({"groups": [{"name": "live", "rules": [rule]}]})

    def known() -> bool:
        alerts = stack.get("alertmanager", "/api/v2/alerts")
        return "LiveRefused" in [alert["labels"]["alertname"] for alert in alerts]

    # After a reload Prometheus may not have found Alertmanager yet, and sends a minute later.
    with refusing(stack, rules) as alertmanager:
        assert eventually(lambda: alertmanager.refused, 75)
        # The expression of PrometheusNotificationsFailing.
        errors = "increase(prometheus_notifications_errors_total[1m])"
        assert eventually(lambda: stack.query(f"{errors} > 0"), 75)
        assert not known()
        alertmanager.refuses = False
        taken = time.time()
        assert eventually(known, 60 + 2 * BACK_SECONDS)
    report_figure(
        f"alertmanager answers 503: {alertmanager.refused} messages refused, the alert was there "
        f"{time.time() - taken:.0f} s after it took them again"
    )


def test_prometheus_after_full_disk_stores_samples_after_restart(
    stack: Stack, report_figure: ReportFigure
) -> None:
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
    # The expression of PrometheusWALDamaged.
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_writes_failed_total > 0"), 30)
    restarted = time.time()
    prometheus.restart()
    assert eventually(answering(stack, "prometheus", time.time()), 2 * BACK_SECONDS)
    assert scraped_until(stack, before) == counted
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_writes_failed_total == 0"), 60)
    lost = gap(stack, 'up{job="node"}', before)
    # From the full disk to the restart, including samples scraped in between.
    assert lost >= restarted - before - 3 * SCRAPE_SECONDS
    report_figure(
        f"full disk, room again, restarted after {restarted - before:.0f} s: no sample of before "
        f"lost, a gap of {lost:.0f} s"
    )


def cut_the_last_record(keeper: Container) -> None:
    """Truncate the last record by one byte.

    An incomplete page of the log ends in zeros, and reading them is not an error: a file truncated
    inside them would not be repaired.
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


def test_truncated_wal_is_repaired_and_loses_only_its_end(
    stack: Stack, report_figure: ReportFigure
) -> None:
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
    report_figure("truncated log: repaired and counted, the oldest sample still there")
