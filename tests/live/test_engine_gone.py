"""The Docker daemon restarted and killed, and the machine without power: what a stack loses, and
that it comes back without anybody's doing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import pytest
import requests

from ops.offline import local_deploy
from tests.figures import Tell
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
# How long nothing is done, to see what Docker does by itself.
STAYS_AWAY_SECONDS = 15
LIVE_RESTORE = "--live-restore"
CORRUPTIONS = "prometheus_tsdb_wal_corruptions_total"


@dataclass(frozen=True)
class Powered:
    """A stack, and the machine that it is alone on."""

    stack: Stack
    machine: Machine


@pytest.fixture(scope="module")
def powered(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Powered]:
    with own_engine.network() as network:
        config = stacks.config(images, keepMetrics=[CORRUPTIONS])
        tags = {config.settings(STACK).image(service) for service in JOBS}
        there = {tag for image in docker_client.images.list() for tag in image.tags}
        machine = network.machine(sorted(tags & there))
        reached = {"dockerHost": machine.url, "bindAddress": machine.address}
        config = stacks.config(images, keepMetrics=[CORRUPTIONS], **reached)
        result = local_deploy.up(STACK, config, stacks.say)
        client = machine.client()
        try:
            yield Powered(Stack(STACK, client, config, result), machine)
        finally:
            client.close()


@pytest.fixture
def steady(powered: Powered) -> Powered:
    """All of it watched and on the disk, with a silence of before."""
    assert eventually(lambda: back(powered.stack, 0), BACK_SECONDS)
    time.sleep(TO_DISK_SECONDS)
    return powered


def services(stack: Stack) -> list[str]:
    return [service for service in JOBS if service in stack.result.urls or service != "grafana"]


def back(stack: Stack, since: float) -> bool:
    """Everything was scraped since a moment, and alerts are evaluated."""
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
    steady: Powered, fault: Callable[[Machine], None], mend: Callable[[Stack], None]
) -> tuple[float, float]:
    """How long until all was scraped again, and the longest time without a sample, in seconds.

    Fails where a sample of before is lost, a silence, or the log's being whole.
    """
    stack = steady.stack
    silence = stacks.silence(stack, "Nothing", "survives the daemon")
    # A daemon that is killed lets nobody write down anything.
    time.sleep(SNAPSHOT_SECONDS + 1)
    began = time.time()
    counted = scraped_until(stack, began)
    fault(steady.machine)
    mend(stack)
    answered = time.time()
    assert eventually(lambda: back(stack, answered), BACK_SECONDS), states(stack)
    took = time.time() - began
    assert scraped_until(stack, began) == counted
    assert silenced(stack, silence)
    assert stack.value(CORRUPTIONS) == 0
    return took, gap(stack, 'up{job="node"}', began - 5 * SCRAPE_SECONDS)


def nothing(_stack: Stack) -> None:
    """It comes back by itself."""


def start_all(stack: Stack) -> None:
    """Start all again as docs/operations/failure-modes.md says."""
    time.sleep(STAYS_AWAY_SECONDS)
    for container in stack.containers():
        container.start()


def test_the_stack_comes_back_with_the_docker_daemon(steady: Powered, tell: Tell) -> None:
    def restart(machine: Machine) -> None:
        machine.stop_engine()
        machine.start_engine()

    took, lost = daemon_gone(steady, restart, nothing)
    tell(
        f"docker daemon restarted: all scraped again after {took:.0f} s, no sample of before "
        f"lost, {lost:.0f} s without a scrape"
    )


def test_a_killed_daemon_leaves_the_stack_to_be_started_by_hand(
    steady: Powered, tell: Tell
) -> None:
    """By Docker 20.10 at least: the new daemon stops what the dead one ran, and leaves it so."""

    def kill(machine: Machine) -> None:
        machine.kill_engine()
        machine.start_engine()

    took, lost = daemon_gone(steady, kill, start_all)
    tell(
        f"docker daemon killed: all scraped again {took - STAYS_AWAY_SECONDS:.0f} s after "
        f"`docker start`, no sample of before lost, {lost:.0f} s without a scrape"
    )


def test_with_live_restore_a_killed_daemon_costs_nothing(steady: Powered, tell: Tell) -> None:
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
    tell(
        f"docker daemon killed, live-restore: {lost:.0f} s without a scrape, {took:.0f} s until "
        "the daemon answered and all was looked at"
    )


def test_the_stack_comes_back_by_itself_after_a_power_cut(steady: Powered, tell: Tell) -> None:
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
    tell(
        f"power cut: all scraped again {took:.0f} s after the boot; of what was scraped before, "
        f"the last {began - kept:.0f} s are lost; {off:.0f} s without a sample; "
        f"{stack.value(CORRUPTIONS):.0f} corruptions of the log counted"
    )


def states(stack: Stack) -> dict[str, str]:
    return {str(found.name): str(found.status) for found in stack.containers()}
