"""Probes of a real site: found well, found wrong while it runs, and its certificate's end seen.

The exporter is not in the application's networks. It asks the site at the address that the site
has in a network of the test, which the exporter's container is put into.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from components.catalog.images import IMAGES
from components.catalog.integrations.probes import EXPORTER
from ops.offline import local_deploy
from tests import panels
from tests.certificates import authority
from tests.live import recorded
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually
from tests.local_images import local_images

STACK = "live-probes"
APPLICATION = "live-probes-site"
SERVER = Path(__file__).parent / "probed_server.py"
# In the certificate of the site, which has no name.
SERVER_NAME = "10.99.0.2"
LEFT_OUT = frozenset(("grafana",))
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def images(docker_client: docker.DockerClient) -> dict[str, str]:
    return local_images(docker_client, stacks.say, uncommon=True)


@pytest.fixture(scope="module")
def site(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> Iterator[tuple[Container, str, str]]:
    """The site's container, its address, and the authority of its certificate."""
    ca = authority()
    with stacks.alone(APPLICATION, docker_client):
        labels = {"vitalstream.stack": APPLICATION}
        network = docker_client.networks.create(APPLICATION, labels=labels)
        image = images.get("demo-python", IMAGES["demo-python"].reference)
        container = docker_client.containers.create(
            image, ["-c", SERVER.read_text()], entrypoint=["python3"], labels=labels,
            environment={"PAIR": ca.server(SERVER_NAME)},
        )  # fmt: skip
        docker_client.networks.get("bridge").disconnect(container)
        network.connect(container)
        container.start()
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"][APPLICATION]["IPAddress"]
        yield container, str(address), ca.pem


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    site: tuple[Container, str, str],
) -> Iterator[Stack]:
    _, address, ca = site
    probes: dict[str, Any] = {
        "page": {"url": f"http://{address}:8080/", "status": [200], "text": "Sign in"},
        "encrypted": {"url": f"https://{address}:8443/", "ca": ca, "serverName": SERVER_NAME},
        "stranger": {"url": f"https://{address}:8443/", "severity": "warning"},
        "port": {"tcp": f"{address}:8443", "tls": True, "ca": ca, "serverName": SERVER_NAME},
        "closed": {"tcp": f"{address}:81", "severity": "warning"},
        "ping": {"icmp": address},
        "name": {"dns": "portal.example.com", "server": address, "text": "192.0.2.80"},
        "moved": {
            "dns": "portal.example.com",
            "server": address,
            "text": "192.0.2.81",
            "severity": "warning",
        },
        "unknown": {"dns": "gone.example.com", "server": address, "severity": "warning"},
    }
    with stacks.alone(STACK, docker_client):
        config = stacks.config(
            images,
            watch=["probes"],
            probes=probes,
            alerts={"ProbeFailed": {"for": "4s"}},
        )
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        found = Stack(STACK, docker_client, config, result)
        # Docker keeps its bridges apart; what people reach is published, or on another machine.
        docker_client.networks.get(APPLICATION).connect(found.container("blackbox-exporter"))
        yield found


def _success(stack: Stack) -> dict[str, float]:
    return {
        found["metric"]["instance"]: float(found["value"][1])
        for found in stack.query("instance:probe_success:min")
    }


def test_probes_find_what_is_right_and_what_is_wrong(stack: Stack) -> None:
    wanted = {
        "page": 1, "encrypted": 1, "stranger": 0,
        "port": 1, "closed": 0, "ping": 1,
        "name": 1, "moved": 0, "unknown": 0,
    }  # fmt: skip
    assert eventually(lambda: _success(stack) == wanted, WAIT_SECONDS), _success(stack)


def test_end_of_a_certificate_is_seen(stack: Stack) -> None:
    expiring = "instance:probe_certificate_left:days < 14"
    assert eventually(lambda: len(stack.query(expiring)) >= 2, WAIT_SECONDS)
    assert {"encrypted", "port"} <= {x["metric"]["instance"] for x in stack.query(expiring)}


def test_every_panel_has_data(stack: Stack) -> None:
    targets = [t for t in panels.targets(panels.boards("2s")) if t.dashboard == "probes"]
    assert len(targets) == 10
    for target in targets:
        assert eventually(lambda expr=target.expr: stack.query(expr), WAIT_SECONDS), target.panel


def test_the_exporter_exposes_what_is_recorded(stack: Stack) -> None:
    """Write the recording with RECORD=1."""
    url = f"http://{stack.address('blackbox-exporter')}:{EXPORTER.port}/probe"
    asked = [
        {"module": name, "target": probe.target} for name, probe in stack.settings.probes.items()
    ]
    recorded.compare(
        stack,
        "blackbox-exporter",
        [requests.get(url, params=one, timeout=30).text for one in asked],
        prefix="probe_",
        against="a site by http and https, a port, a ping, a DNS server",
        test="tests/live/test_probes.py",
    )


@pytest.mark.parametrize("state", ["503 Sign in", "200 Under construction"])
def test_people_cannot_reach_it_although_it_runs(
    state: str, stack: Stack, site: tuple[Container, str, str]
) -> None:
    firing = 'ALERTS{alertname="ProbeFailed",alertstate="firing",instance="page"}'
    assert eventually(lambda: _success(stack).get("page") == 1, WAIT_SECONDS)
    assert eventually(lambda: not stack.query(firing), WAIT_SECONDS)
    _set(site[0], state)
    try:
        assert eventually(lambda: stack.query(firing), WAIT_SECONDS)
        site[0].reload()
        assert site[0].status == "running"
    finally:
        _set(site[0], "200 Sign in")
    assert eventually(lambda: not stack.query(firing), WAIT_SECONDS)


def test_edited_probe_is_asked_without_a_restart(stack: Stack) -> None:
    """Another text is expected, which the page does not have."""
    olds, started = stack.config_files("blackbox-exporter"), stack.started_at("blackbox-exporter")
    text = olds["files"]["blackbox.yml"].replace("Sign", "Log")
    assert eventually(lambda: _success(stack).get("page") == 1, WAIT_SECONDS)
    with stacks.edited(olds, {**olds["files"], "blackbox.yml": text}):
        assert eventually(lambda: _success(stack).get("page") == 0, WAIT_SECONDS)
    assert eventually(lambda: _success(stack).get("page") == 1, WAIT_SECONDS)
    assert stack.started_at("blackbox-exporter") == started


def _set(site: Container, state: str) -> None:
    code, output = site.exec_run(["sh", "-c", f"echo -n '{state}' > /tmp/state"])
    assert code == 0, output


def test_exporter_has_no_capability(stack: Stack) -> None:
    host = stack.container("blackbox-exporter").attrs["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
