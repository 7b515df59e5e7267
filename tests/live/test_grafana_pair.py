"""Two Grafanas on one PostgreSQL, behind HAProxy: who opens a page does not see one of them go."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import requests

from ops.offline import local_deploy
from tests.live import stack as stacks
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, eventually
from tests.local_images import local_images

NAME = "live-grafana-pair"
NETWORK = f"{NAME}-database"
GRAFANAS = ("grafana", "grafana-2")
# Not the stack's own, whose `up` takes down what is there.
THEIRS = {"vitalstream.stack": NETWORK}
PASSWORD = "live-database-Password-6"
READY_SECONDS = 60
ANSWERED = "haproxy_server_sessions_total"
UP = 'haproxy_server_status.*state="UP"'
ASK_SECONDS = 0.1
# Who asks the one that is gone waits for one connection, and for the answer of the other.
WAIT_SECONDS = 5
LEFT_OUT = frozenset({"postgres-exporter", "redis-exporter", "node-exporter"})


@dataclass(frozen=True)
class Pair:
    stack: Stack
    url: str
    session: requests.Session

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def pair(docker_client: docker.DockerClient) -> Iterator[Pair]:
    images = local_images(docker_client, stacks.say, uncommon=True)
    if "grafana" not in images:
        pytest.skip("no image of Grafana is here")
    with stacks.alone(NETWORK, docker_client), stacks.alone(NAME, docker_client):
        docker_client.networks.create(NETWORK, internal=True, labels=THEIRS)
        postgresql(docker_client, images["demo-postgres"])
        yield up(docker_client, images)


def postgresql(client: docker.DockerClient, image: str) -> None:
    """Start a PostgreSQL for Grafana, as a user would."""
    environment = {"POSTGRES_USER": "grafana", "POSTGRES_PASSWORD": PASSWORD}
    database = client.containers.run(
        image,
        name=f"{NETWORK}-server",
        detach=True,
        environment=environment,
        network=NETWORK,
        labels=THEIRS,
    )
    ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
    assert eventually(lambda: database.exec_run(ready)[0] == 0, READY_SECONDS)


def up(client: docker.DockerClient, images: dict[str, str]) -> Pair:
    where = {"address": f"{NETWORK}-server:5432", "network": NETWORK}
    config = stacks.config(
        images,
        # Below a path: the balancer and its checks ask there too.
        publicUrls={"grafana": "http://site.example.com/grafana"},
        grafana={"replicas": 2, "database": where},
        grafanaDatabasePassword=PASSWORD,
    )
    result = local_deploy.up(NAME, config, stacks.say, leave_out=LEFT_OUT)
    url = result.urls["grafana"]
    session = requests.Session()
    session.trust_env = False
    login = {"user": "admin", "password": SECRETS["grafanaAdminPassword"]}
    session.post(f"{url}/login", json=login, timeout=TIMEOUT_SECONDS).raise_for_status()
    return Pair(Stack(NAME, client, config, result), url, session)


def balancer_counts(pair: Pair, series: str) -> dict[str, int]:
    """Return the balancer's value for each Grafana of the series that a pattern matches."""
    text = requests.get(
        f"http://{pair.stack.address('grafana-lb')}:8405/metrics", timeout=TIMEOUT_SECONDS
    ).text
    lines = [line for line in text.splitlines() if re.match(series, line)]
    counts = dict.fromkeys(GRAFANAS, 0)
    for line in lines:
        for name in GRAFANAS:
            if f'server="{name}"' in line:
                counts[name] = int(float(line.rpartition(" ")[2]))
    return counts


def test_both_have_the_same_dashboards(pair: Pair) -> None:
    for name in GRAFANAS:
        answer = requests.get(
            f"http://{pair.stack.address(name)}:3000/api/dashboards/uid/vitalstream-overview",
            auth=("admin", SECRETS["grafanaAdminPassword"]),
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.ok, name


def test_each_is_asked(pair: Pair) -> None:
    # On a busy machine, the balancer's check of one that has just started can run out of time.
    assert eventually(lambda: all(balancer_counts(pair, UP).values()), READY_SECONDS)
    before = balancer_counts(pair, ANSWERED)
    for _ in range(10):
        assert pair.get("/api/org").ok
    after = balancer_counts(pair, ANSWERED)
    assert all(after[name] > before[name] for name in GRAFANAS)


def test_prometheus_watches_both_and_the_balancer(pair: Pair) -> None:
    there = 'count(up{job=~"grafana|grafana-lb"} == 1)'
    assert eventually(lambda: pair.stack.value(there) == 3, READY_SECONDS)


@pytest.mark.parametrize("name", GRAFANAS)
def test_nobody_is_logged_out_or_refused_while_one_of_them_is_gone(pair: Pair, name: str) -> None:
    """Accept the loss of at most one request: the one in progress when the process dies."""
    statuses: list[int] = []
    seconds: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(ASK_SECONDS):
            began = time.monotonic()
            try:
                statuses.append(pair.get("/api/org").status_code)
            except requests.RequestException:
                statuses.append(0)
            seconds.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    container = pair.stack.container(name)
    try:
        stop.wait(2)
        container.kill()
        stop.wait(8)
    finally:
        container.start()
        stop.set()
        asking.join()
    assert eventually(lambda: pair.stack.container(name).health == "healthy", READY_SECONDS)
    refused = [status for status in statuses if status != 200]
    stacks.say(f"{name} gone: {len(statuses)} asked, {len(refused)} refused, {max(seconds):.1f} s")
    assert len(refused) <= 1, refused
    assert max(seconds) < WAIT_SECONDS


def test_the_password_of_the_database_is_in_no_environment(pair: Pair) -> None:
    environments: list[Any] = [
        found.attrs["Config"]["Env"]
        for found in pair.stack.containers()
        if found.labels.get("vitalstream.service")
    ]
    assert environments
    assert PASSWORD not in str(environments)


def test_a_user_made_through_one_is_known_to_the_other(pair: Pair) -> None:
    admin = ("admin", SECRETS["grafanaAdminPassword"])
    user = {"name": "Made here", "login": "made-here", "password": secrets.token_urlsafe(12)}
    first, second = (f"http://{pair.stack.address(name)}:3000" for name in GRAFANAS)
    made = requests.post(f"{first}/api/admin/users", json=user, auth=admin, timeout=TIMEOUT_SECONDS)
    assert made.ok, made.text
    found = requests.get(
        f"{second}/api/users/lookup",
        {"loginOrEmail": "made-here"},
        auth=admin,
        timeout=TIMEOUT_SECONDS,
    )
    assert found.ok, found.text
