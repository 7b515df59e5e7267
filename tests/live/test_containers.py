"""Containers of this Docker host as cAdvisor sees them: full, throttled, restarting, killed."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
import requests
from docker.models.containers import Container

from components.catalog.images import IMAGES
from components.catalog.integrations.containers import EXPORTER
from ops.offline import local_deploy
from tests import hardening, panels
from tests.live import recorded
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually

STACK = "live-containers"
WORKLOAD = "live-containers-workload"
LEFT_OUT = frozenset(("grafana",))
MEBIBYTE = 2**20
WAIT_SECONDS = 90
# Use is a rate over 5 minutes, and above half of the limit only after half of them.
THROTTLED_SECONDS = 240
FILLS = "import time; kept = bytearray(58 * 2**20); time.sleep(3600)"
SPINS = "while True: pass"
CRASHES = "import time; sum(range(10**6)); time.sleep(3); raise SystemExit(1)"
OVERFILLS = (
    "import subprocess, sys, time\n"
    "time.sleep(15)\n"
    "subprocess.run([sys.executable, '-c', 'kept = bytearray(2**27)'])\n"
    "time.sleep(3600)\n"
)
PROGRAMS = {"full": FILLS, "throttled": SPINS, "restarting": CRASHES, "killed": OVERFILLS}


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    if images and EXPORTER.service not in images:
        pytest.skip("no image vitalstream-local/cadvisor is here, and Debian has no package of it")
    with stacks.alone(STACK, docker_client):
        config = stacks.config(
            images,
            watch=["containers"],
            alerts={name: {"for": "2s"} for name in ("ContainerOOMKilled", "ContainerRestarting")},
        )
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


@pytest.fixture(scope="module")
def workload(stack: Stack, images: dict[str, str]) -> Iterator[dict[str, Container]]:
    """Containers with limits, by what is wrong with them; nothing is with `well`."""
    image = images.get("demo-python", IMAGES["demo-python"].reference)
    with stacks.alone(WORKLOAD, stack.client):
        yield {
            name: stack.client.containers.run(
                image,
                ["-c", code],
                entrypoint=["python3"],
                detach=True,
                labels={"vitalstream.stack": WORKLOAD},
                mem_limit=64 * MEBIBYTE,
                memswap_limit=64 * MEBIBYTE,
                nano_cpus=10**8 if name == "throttled" else 5 * 10**8,
                restart_policy={"Name": "always"},
            )
            for name, code in {**PROGRAMS, "well": "import time; time.sleep(3600)"}.items()
        }


@pytest.mark.parametrize(
    ("state", "alert", "seconds"),
    [
        ("full", "ContainerMemoryNearLimit", WAIT_SECONDS),
        ("killed", "ContainerOOMKilled", WAIT_SECONDS),
        ("restarting", "ContainerRestarting", WAIT_SECONDS),
        ("throttled", "ContainerThrottled", THROTTLED_SECONDS),
    ],
)
def test_alert_sees_the_container_with_its_fault_and_not_a_healthy_one(
    stack: Stack, workload: dict[str, Container], state: str, alert: str, seconds: int
) -> None:
    expr = stack.rules()[alert]["query"]

    def seen() -> set[str]:
        return {series["metric"]["container"] for series in stack.query(expr)}

    assert eventually(lambda: _short(workload[state]) in seen(), seconds), stack.query(expr)
    assert _short(workload["well"]) not in seen()


def test_kill_is_notified_with_the_containers_id(
    stack: Stack, workload: dict[str, Container]
) -> None:
    def notified() -> list[str]:
        found = stack.get("alertmanager", "/api/v2/alerts", filter='alertname="ContainerOOMKilled"')
        return [alert["annotations"]["summary"] for alert in found]

    short = _short(workload["killed"])
    assert eventually(lambda: any(short in text for text in notified()), WAIT_SECONDS)


def test_every_container_is_seen_once_by_its_short_id(
    stack: Stack, workload: dict[str, Container]
) -> None:
    here = [_short(stack.container(name)) for name in ("prometheus", "cadvisor")]
    here += [_short(workload["well"])]

    def seen() -> list[str]:
        found = stack.query("container_start_time_seconds")
        return sorted(series["metric"]["container"] for series in found)

    assert eventually(lambda: set(here) <= set(seen()), WAIT_SECONDS), seen()
    assert len(seen()) == len(set(seen()))
    assert not stack.query('{job="container",id!=""}')
    assert not stack.query("ALERTS{alertname='ContainersUnseen'}")


def test_every_panel_has_data(stack: Stack, workload: dict[str, Container]) -> None:
    assert workload
    targets = [t for t in panels.targets(panels.boards("2s")) if t.dashboard == "containers"]
    assert len(targets) == 10
    for target in targets:
        assert eventually(lambda expr=target.expr: stack.query(expr), WAIT_SECONDS), target.panel


def test_the_exporter_exposes_what_is_recorded(
    stack: Stack, workload: dict[str, Container]
) -> None:
    """Write the recording with RECORD=1."""
    assert workload
    docker_info = stack.client.info()
    version = docker_info["ServerVersion"].partition("+")[0]
    url = f"http://{stack.address(EXPORTER.service)}:{EXPORTER.port}/metrics"
    recorded.compare(
        stack,
        EXPORTER.service,
        [requests.get(url, timeout=30).text],
        prefix="container_",
        against=f"Docker {version} with cgroup v{docker_info.get('CgroupVersion', '1')}",
        test="tests/live/test_containers.py",
    )


def test_exceptions_from_the_benchmark_are_needed_and_the_only_ones(stack: Stack) -> None:
    attrs = stack.container(EXPORTER.service).attrs
    found = {*hardening.findings(EXPORTER.service, attrs)}
    assert [one for one in found if not hardening.accepted(one)] == []
    written = {one for one in hardening.exceptions() if one.service == EXPORTER.service}
    assert {one.number for one in written} == {"4.1", "5.3", "5.5", "5.17"}
    assert written <= found
    host = attrs["HostConfig"]
    assert host["CapAdd"] == ["CAP_SYSLOG"]
    devices = {(one["PathOnHost"], one["CgroupPermissions"]) for one in host["Devices"]}
    assert devices == {("/dev/kmsg", "r")}
    mounts = {(one["Source"], one["RW"]) for one in attrs["Mounts"] if one["Type"] == "bind"}
    assert mounts == {("/sys/fs/cgroup", False)}


def _short(container: Container) -> str:
    return str(container.id)[:12]
