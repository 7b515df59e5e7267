"""Recovery of a stack from restarts and kills of the Docker daemon and from a power cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import pytest
import requests

from ops.offline import local_deploy
from tests.figures import ReportFigure
from tests.live import own_engine
from tests.live import stack as stacks
from tests.live.ingestion import BEATING, JOBS, answering, gap, scraped_until
from tests.live.own_engine import Machine
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually

STACK = "live-power"
BACK_SECONDS = 60
# Alertmanager writes silences down every 15 s, Prometheus what it scraped at once. Neither waits
# for the disk: the kernel takes it there after 30 s (vm.dirty_expire_centisecs), looked at every
# 5 s, and ext4 notes it within 5 s more.
TO_DISK_SECONDS = 40
SNAPSHOT_SECONDS = 15
# Time without intervention, to see what Docker restarts by itself.
STAYS_AWAY_SECONDS = 15
LIVE_RESTORE = "--live-restore"
CORRUPTIONS = "prometheus_tsdb_wal_corruptions_total"


@dataclass(frozen=True)
class Powered:
    """Stack and the machine that runs it alone."""

    stack: Stack
    machine: Machine


@pytest.fixture(scope="module")
def powered(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Powered]:
    with own_engine.network() as network:
        config = stacks.config(images)
        tags = {config.settings(STACK).image(service) for service in JOBS}
        there = {tag for image in docker_client.images.list() for tag in image.tags}
        machine = network.machine(sorted(tags & there))
        reached = {"dockerHost": machine.url, "bindAddress": machine.address}
        config = stacks.config(images, **reached)
        result = local_deploy.up(STACK, config, stacks.say)
        client = machine.client()
        try:
            yield Powered(Stack(STACK, client, config, result), machine)
        finally:
            client.close()


@pytest.fixture
def steady(powered: Powered) -> Powered:
    """Stack that is fully scraped, with its data and an earlier silence written to the disk."""
    assert eventually(lambda: back(powered.stack, 0), BACK_SECONDS)
    time.sleep(TO_DISK_SECONDS)
    return powered


def services(stack: Stack) -> list[str]:
    return [service for service in JOBS if service in stack.result.urls or service != "grafana"]


def back(stack: Stack, since: float) -> bool:
    """Return whether everything was scraped since a time and alerts are evaluated."""
    try:
        return all(answering(stack, name, since)() for name in services(stack)) and bool(
            stack.query(BEATING)
        )
    except (requests.RequestException, AssertionError):
        return False


def silenced(stack: Stack, silence: str) -> bool:
    try:
        found = stack.get("alertmanager", f"/api/v2/silence/{silence}")
    except (requests.RequestException, AssertionError):
        return False
    return bool(found["status"]["state"] == "active")


def daemon_gone(
    steady: Powered, fault: Callable[[Machine], None], repair: Callable[[Stack], None]
) -> tuple[float, float]:
    """Return the seconds until all was scraped again, and the longest gap in seconds.

    Fail where an earlier sample or silence is lost, or the log is corrupt.
    """
    stack = steady.stack
    silence = stacks.silence(stack, "Nothing", "survives the daemon")
    # A killed daemon gives no service time to write its state.
    time.sleep(SNAPSHOT_SECONDS + 1)
    began = time.time()
    counted = scraped_until(stack, began)
    fault(steady.machine)
    repair(stack)
    answered = time.time()
    assert eventually(lambda: back(stack, answered), BACK_SECONDS), states(stack)
    took = time.time() - began
    assert scraped_until(stack, began) == counted
    assert silenced(stack, silence)
    assert stack.value(CORRUPTIONS) == 0
    return took, gap(stack, 'up{job="node"}', began - 5 * SCRAPE_SECONDS)


def nothing(_stack: Stack) -> None:
    """Do nothing: the stack recovers by itself."""


def start_all(stack: Stack) -> None:
    """Start all again as docs/operations/failure-modes.md says."""
    time.sleep(STAYS_AWAY_SECONDS)
    for container in stack.containers():
        container.start()


def test_stack_restarts_with_docker_daemon(steady: Powered, report_figure: ReportFigure) -> None:
    def restart(machine: Machine) -> None:
        machine.stop_engine()
        machine.start_engine()

    took, lost = daemon_gone(steady, restart, nothing)
    report_figure(
        f"docker daemon restarted: all scraped again after {took:.0f} s, no sample of before "
        f"lost, {lost:.0f} s without a scrape"
    )


def test_killed_daemon_requires_manual_start(steady: Powered, report_figure: ReportFigure) -> None:
    """Docker 20.10 stops the containers of a killed daemon at its next start and leaves them
    stopped.
    """

    def kill(machine: Machine) -> None:
        machine.kill_engine()
        machine.start_engine()

    took, lost = daemon_gone(steady, kill, start_all)
    report_figure(
        f"docker daemon killed: all scraped again {took - STAYS_AWAY_SECONDS:.0f} s after "
        f"`docker start`, no sample of before lost, {lost:.0f} s without a scrape"
    )


def test_killed_daemon_with_live_restore_loses_no_sample(
    steady: Powered, report_figure: ReportFigure
) -> None:
    steady.machine.stop_engine()
    steady.machine.start_engine(LIVE_RESTORE)
    assert eventually(lambda: back(steady.stack, time.time() - SCRAPE_SECONDS), BACK_SECONDS)
    before = {str(found.name): found.attrs["State"]["Pid"] for found in steady.stack.containers()}

    def kill(machine: Machine) -> None:
        machine.kill_engine()
        time.sleep(STAYS_AWAY_SECONDS)
        machine.start_engine(LIVE_RESTORE)

    took, lost = daemon_gone(steady, kill, nothing)
    after = {str(found.name): found.attrs["State"]["Pid"] for found in steady.stack.containers()}
    assert after == before
    assert lost <= 2 * SCRAPE_SECONDS
    report_figure(
        f"docker daemon killed, live-restore: {lost:.0f} s without a scrape, {took:.0f} s until "
        "the daemon answered and all was looked at"
    )


def test_stack_restarts_after_power_cut(steady: Powered, report_figure: ReportFigure) -> None:
    stack = steady.stack
    silence = stacks.silence(stack, "Nothing", "survives a power cut")
    time.sleep(SNAPSHOT_SECONDS + TO_DISK_SECONDS)
    began = time.time()
    counted = scraped_until(stack, began - TO_DISK_SECONDS)
    steady.machine.power_cut()
    steady.machine.boot()
    booted = time.time()
    assert eventually(lambda: back(stack, booted), BACK_SECONDS), states(stack)
    took = time.time() - booted
    assert scraped_until(stack, began - TO_DISK_SECONDS) == counted
    assert silenced(stack, silence)
    kept = stack.value(f'max(timestamp(up{{job="node"}} @ {began:.3f}))')
    assert kept is not None
    off = gap(stack, 'up{job="node"}', began - TO_DISK_SECONDS - 5 * SCRAPE_SECONDS)
    report_figure(
        f"power cut: all scraped again {took:.0f} s after the boot; of what was scraped before, "
        f"the last {began - kept:.0f} s are lost; {off:.0f} s without a sample; "
        f"{stack.value(CORRUPTIONS):.0f} corruptions of the log counted"
    )


def states(stack: Stack) -> dict[str, str]:
    return {str(found.name): str(found.status) for found in stack.containers()}
