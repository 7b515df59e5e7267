"""Grafana asks nobody outside for anything: no update, no picture, no report on its use."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests

from ops.offline import local_deploy
from tests import through_grafana
from tests.live import stack as stacks
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, eventually

NAME = "live-quiet"
LISTENER = Path(__file__).with_name("overheard.py")
# It looks for updates when it starts: with that switched on, both names were heard within 20 s.
LISTEN_SECONDS = 25
READY_SECONDS = 60
LEFT_OUT = frozenset({"postgres-exporter", "redis-exporter", "node-exporter"})


@pytest.fixture(scope="module")
def heard(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[list[str]]:
    """Record Grafana's network traffic while it starts and a page queries its data source."""
    if "grafana" not in images:
        pytest.skip("no image of Grafana is here")
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        pytest.skip("who listens in a container's network has to be root, and needs nsenter")
    if elsewhere := stacks.not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    config = stacks.config(images)
    with stacks.alone(NAME, docker_client):
        result = local_deploy.up(NAME, config, stacks.say, leave_out=LEFT_OUT)
        stack = Stack(NAME, docker_client, config, result)
        stack.container("grafana").restart(timeout=10)
        with listening(stack) as listener:
            url = result.urls["grafana"]
            assert eventually(lambda: answers(url), READY_SECONDS)
            with requests.Session() as session:
                login = ("admin", SECRETS["grafanaAdminPassword"])
                assert through_grafana.values(session, url, login, "vector(1)") == [1]
            output, _ = listener.communicate(timeout=LISTEN_SECONDS + TIMEOUT_SECONDS)
        yield output.splitlines()


def listening(stack: Stack) -> subprocess.Popen[str]:
    process = str(stack.container("grafana").attrs["State"]["Pid"])
    command = ["nsenter", "--target", process, "--net", sys.executable, str(LISTENER)]
    return subprocess.Popen([*command, str(LISTEN_SECONDS)], stdout=subprocess.PIPE, text=True)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api/health", timeout=1).ok
    except requests.RequestException:
        return False


def test_the_only_name_that_grafana_looks_up_is_its_data_source_s(heard: list[str]) -> None:
    names = {line.removeprefix("name ") for line in heard if line.startswith("name ")}
    assert names == {"prometheus"}


def test_grafana_calls_no_address_outside(heard: list[str]) -> None:
    called = {line.removeprefix("call ") for line in heard if line.startswith("call ")}
    assert called
    assert {address for address in called if not ipaddress.ip_address(address).is_private} == set()
