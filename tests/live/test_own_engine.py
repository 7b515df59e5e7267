"""Test machines with their own engine: isolated, connected, and removed afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests

from tests.live import own_engine
from tests.live.namespaces import run
from tests.live.own_engine import Machine, Network
from tests.live.stack import eventually

PORT = 8099
WEB = ["python3", "-m", "http.server", "8000"]
BACK_SECONDS = 30
# What is not forced to the disk gets there within 5 s (ext4) to 30 s (the kernel) anyway.
AT_ONCE_SECONDS = 4
HELD = """
import sys, time
from tests.live import own_engine
with own_engine.network() as network:
    machine = network.machine()
    print(network.subnet, machine.disk, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def image(images: dict[str, str]) -> str:
    return images.get("demo-python", "python:3.11-alpine")


@pytest.fixture(scope="module")
def lan(docker_client: docker.DockerClient) -> Iterator[Network]:
    with own_engine.network() as found:
        yield found


@pytest.fixture(scope="module")
def one(lan: Network, image: str) -> Machine:
    made = lan.machine([image])
    serve(made, image)
    return made


@pytest.fixture(scope="module")
def other(lan: Network, one: Machine) -> Machine:
    """Create a machine with a copy of the disk, and so with the same container."""
    one.turn_off()
    made = lan.machine(disk_of=one)
    one.boot()
    return made


def serve(machine: Machine, image: str) -> None:
    """Start a container that prints its host's name and writes data to the disk."""
    with contextlib.closing(machine.client()) as client:
        client.containers.run(
            image,
            entrypoint=WEB,
            name="web",
            detach=True,
            init=True,
            working_dir="/tmp",
            ports={"8000/tcp": PORT},
            restart_policy={"Name": "unless-stopped"},
        )


def serves(address: str) -> bool:
    try:
        return requests.get(f"http://{address}:{PORT}/", timeout=2).ok
    except requests.RequestException:
        return False


def test_this_machine_reaches_what_it_publishes(one: Machine) -> None:
    assert eventually(lambda: serves(one.address), BACK_SECONDS)


def test_two_machines_reach_each_other_by_address(one: Machine, other: Machine) -> None:
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"
    for here, there in ((one, other), (other, one)):
        assert eventually(lambda there=there: serves(there.address), BACK_SECONDS)
        url = f"http://{there.address}:{PORT}/"
        with contextlib.closing(here.client()) as client:
            web = client.containers.get("web")
            assert web.exec_run(["python3", "-c", fetch, url]).output == b"200\n"


def test_a_container_comes_back_with_the_engine(one: Machine) -> None:
    one.stop_engine()
    assert not serves(one.address)
    one.start_engine()
    assert eventually(lambda: serves(one.address), BACK_SECONDS)


def test_a_power_cut_keeps_what_was_forced_to_the_disk_and_no_more(one: Machine) -> None:
    write = "f = open('/tmp/{0}', 'w'); f.write('here'); f.flush(); {1}"
    assert eventually(lambda: serves(one.address), BACK_SECONDS)
    one.sync()
    with contextlib.closing(one.client()) as client:
        web = client.containers.get("web")
        forced = write.format("forced", "import os; os.fsync(f.fileno())")
        written = time.monotonic()
        for command in (forced, write.format("not-forced", "")):
            assert web.exec_run(["python3", "-c", command]).exit_code == 0
    one.power_cut()
    assert time.monotonic() - written < AT_ONCE_SECONDS, "too slow to measure"
    assert not serves(one.address)
    one.boot()
    assert eventually(lambda: serves(one.address), BACK_SECONDS)
    url = f"http://{one.address}:{PORT}"
    assert requests.get(f"{url}/forced", timeout=5).text == "here"
    assert requests.get(f"{url}/not-forced", timeout=5).text != "here"


def test_this_machines_engine_and_its_rules_are_left_alone(
    lan: Network, one: Machine, docker_client: docker.DockerClient
) -> None:
    with contextlib.closing(one.client()) as client:
        assert client.info()["ID"] != docker_client.info()["ID"]
    assert str(PORT) in one.run("iptables-save", "--table", "nat")
    here = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    assert lan.subnet not in here
    assert own_engine.POOL.split("=")[1].split("/")[0] not in here


def test_nothing_is_left_of_it_even_where_the_test_is_killed() -> None:
    if reason := own_engine.obstacle():
        pytest.skip(reason)
    held = subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE, text=True)
    assert held.stdout
    subnet, disk = held.stdout.readline().split()
    try:
        assert f" {subnet}.1/" in run("ip", "-oneline", "address")
        assert run("losetup", "-j", disk)
    finally:
        held.send_signal(signal.SIGKILL)
        held.wait(10)
        held.stdout.close()
    try:
        assert eventually(lambda: not run("losetup", "-j", disk), BACK_SECONDS)
        assert f" {subnet}.1/" not in run("ip", "-oneline", "address")
        processes = [found for found in Path("/proc").glob("[0-9]*/cmdline") if found.exists()]
        assert not [found for found in processes if os.fsencode(disk) in _bytes_of(found)]
    finally:
        shutil.rmtree(Path(disk).parent.parent)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
