"""MySQL as a stack monitors it: a MariaDB that stops and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
import requests
from components.catalog.integrations.mysql import EXPORTER
from docker.models.containers import Container

from ops.offline import local_deploy, program
from tests import panels
from tests.live import mysql_images, recorded
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually, say

STACK = "live-mysql"
APPLICATION = "live-mysql-app"
# `#` and `;` would begin a comment in my.cnf, were the password not quoted.
PASSWORD = "live#mysql;Password-1"
SERVER = {"address": "mariadb:3306", "user": "exporter", "password": PASSWORD}
INIT = (
    f"CREATE USER IF NOT EXISTS 'exporter'@'%' IDENTIFIED BY '{PASSWORD}';\n"
    "GRANT PROCESS, REPLICATION CLIENT, SELECT ON *.* TO 'exporter'@'%';\n"
)
START = """\
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --no-defaults --datadir=/var/lib/mysql \
  --auth-root-authentication-method=normal --skip-test-db >/dev/null
printf '%s' "$INIT" > /tmp/init.sql
while :; do
  [ -e /tmp/stopped ] || mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/tmp/mysql.sock \
    --pid-file=/tmp/mysql.pid --init-file=/tmp/init.sql --bind-address=0.0.0.0 --skip-name-resolve
  sleep 1
done
"""
# The container keeps running: without it the name `mariadb` has no address, and where the machine's
# resolver answers slowly, each scrape of the exporter times out.
STOP_SERVER = "touch /tmp/stopped && kill $(cat /tmp/mysql.pid)"
START_SERVER = "rm -f /tmp/stopped"
DELAY_SECONDS = 4
WAIT_SECONDS = 90


@pytest.fixture(scope="module")
def mariadb(docker_client: docker.DockerClient) -> Iterator[Container]:
    """A MariaDB in the network of an application."""
    image = mysql_images.make(docker_client)["mariadb"]
    with stacks.alone(APPLICATION, docker_client):
        labels = {"vitalstream.stack": APPLICATION}
        network = docker_client.networks.create(APPLICATION, internal=True, labels=labels)
        container = docker_client.containers.create(
            image, ["sh", "-c", START], labels=labels, environment={"INIT": INIT}
        )
        try:
            docker_client.networks.get("bridge").disconnect(container)
            network.connect(container, aliases=["mariadb"])
            container.start()
            yield container
        finally:
            say(container.logs(tail=20).decode())
            container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, mariadb: Container) -> Iterator[Stack]:
    images = stacks.images(docker_client) | mysql_images.make(docker_client)
    del images["mariadb"]
    with stacks.alone(STACK, docker_client):
        found = stacks.config(
            images,
            applicationNetworks=[APPLICATION],
            watch=["mysql"],
            servers={"mysql": {"primary": SERVER}},
            alerts={"MySQLDown": {"for": f"{DELAY_SECONDS}s"}},
        )
        config = program.StackConfig(found.values, (*found.secret_keys, "vitalstream:servers"))
        result = local_deploy.up(STACK, config, say, leave_out=frozenset(("grafana",)))
        yield Stack(STACK, docker_client, config, result)


def _firing(stack: Stack) -> bool:
    return bool(stack.query('ALERTS{alertname="MySQLDown",alertstate="firing"}'))


def _notified(stack: Stack) -> list[dict[str, Any]]:
    return stack.get("alertmanager", "/api/v2/alerts", filter='alertname="MySQLDown"')


def _run(container: Container, command: str) -> None:
    code, output = container.exec_run(["sh", "-c", command])
    assert code == 0, output.decode()


def test_mysql_is_scraped(stack: Stack) -> None:
    assert eventually(lambda: stack.value("instance:mysql_up:min") == 1, WAIT_SECONDS)
    used = stack.value("instance:mysql_connections:ratio")
    assert used is not None
    assert 0 < used < 1


def test_every_panel_of_mysql_has_data(stack: Stack) -> None:
    targets = [t for t in panels.targets(panels.boards("2s")) if t.dashboard == "mysql"]
    assert len(targets) == 5
    for target in targets:
        assert eventually(lambda expr=target.expr: stack.query(expr), WAIT_SECONDS), target.panel


def test_the_exporter_exposes_what_is_recorded(stack: Stack) -> None:
    """With RECORD=1 it is recorded."""
    url = f"http://{stack.address('mysqld-exporter')}:{EXPORTER.port}/metrics"
    recorded.compare(
        stack,
        "mysqld-exporter",
        [requests.get(url, timeout=30).text],
        prefix="mysql_",
        against="mariadb 10.11",
        test="tests/live/test_mysql.py",
    )


def test_the_password_is_in_no_environment_and_no_command(stack: Stack) -> None:
    for container in stack.containers():
        assert PASSWORD not in str(container.attrs["Config"])


def test_mysql_down_fires_while_mariadb_is_stopped_and_is_resolved_after(
    stack: Stack, mariadb: Container
) -> None:
    assert eventually(lambda: stack.value("instance:mysql_up:min") == 1, WAIT_SECONDS)
    assert not _firing(stack)
    _run(mariadb, STOP_SERVER)
    try:
        assert eventually(lambda: _firing(stack), WAIT_SECONDS)
        (alert,) = eventually(lambda: _notified(stack), WAIT_SECONDS)
        assert {found["name"] for found in alert["receivers"]} == {"critical", "database"}
        assert "answers but cannot query MySQL" in alert["annotations"]["description"]
    finally:
        _run(mariadb, START_SERVER)
    assert eventually(lambda: not _firing(stack), WAIT_SECONDS)
    assert stack.value("instance:mysql_up:min") == 1
