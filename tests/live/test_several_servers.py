"""PostgreSQL servers, one over TLS and with a replica, and a Redis over TLS with an ACL user."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from components.catalog.images import IMAGES
from ops.offline import local_deploy, program
from tests.certificates import authority
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually
from tests.pools import free_pool

STACK = "live-servers"
APPLICATION = "live-servers-app"
PASSWORD = "live#servers;Password-1"
USER, DATABASE = "watcher@clinic", "vital signs"
LEFT_OUT = frozenset(("grafana",))
WAIT_SECONDS = 90
SERVERS = ("primary", "replica", "managed", "client", "reporting")
POSTGRES = """\
printf '%s' "$PAIR" > /tmp/pair.pem && chmod 600 /tmp/pair.pem
printf '%s' "$CA" > /tmp/ca.pem
cat > /docker-entrypoint-initdb.d/more.sql << EOF
CREATE DATABASE "vital signs";
CREATE DATABASE rdsadmin;
REVOKE CONNECT ON DATABASE rdsadmin FROM PUBLIC;
CREATE ROLE "watcher@clinic" LOGIN PASSWORD '$PASSWORD';
CREATE ROLE "client-under-test" LOGIN;
GRANT pg_monitor TO "client-under-test";
EOF
cat > /docker-entrypoint-initdb.d/logins.sh << 'EOF'
echo "host replication all all scram-sha-256" >> $PGDATA/pg_hba.conf
sed -i '1i hostssl all "client-under-test" all cert' $PGDATA/pg_hba.conf
EOF
/usr/local/bin/docker-entrypoint.sh postgres \
  -c ssl=on -c ssl_ca_file=/tmp/ca.pem -c ssl_cert_file=/tmp/pair.pem -c ssl_key_file=/tmp/pair.pem
# Stopped, it leaves its address behind, which refuses connections.
sleep 600
"""
REPLICA = """\
chmod 700 $PGDATA
until PGPASSWORD=$PASSWORD pg_basebackup -h "$PRIMARY" -U postgres -D $PGDATA -R -X stream; do
  sleep 1
done
exec postgres
"""
REDIS = """\
printf '%s' "$PAIR" > /tmp/pair.pem
printf '%s' "$CA" > /tmp/ca.pem
exec redis-server --port 0 --tls-port 6380 --tls-auth-clients yes \
  --tls-cert-file /tmp/pair.pem --tls-key-file /tmp/pair.pem --tls-ca-cert-file /tmp/ca.pem \
  --user default off --user exporter on ">$PASSWORD" '~*' '&*' +@all
"""


@pytest.fixture(scope="module")
def servers(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> Iterator[tuple[dict[str, Container], dict[str, Any]]]:
    """The servers by name, and the setting that names them."""
    ca = authority()
    subnet = ipaddress.ip_network(free_pool())
    labels = {"vitalstream.stack": APPLICATION}
    environment = {"POSTGRES_PASSWORD": PASSWORD, "PASSWORD": PASSWORD}
    with stacks.alone(APPLICATION, docker_client):
        pools = [IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))]
        network = docker_client.networks.create(
            APPLICATION, internal=True, labels=labels, ipam=IPAMConfig(pool_configs=pools)
        )
        found = {}
        addresses = {}
        for place, (name, kind, script) in enumerate(
            (("primary", "postgres", POSTGRES), ("reporting", "postgres", POSTGRES),
             ("replica", "postgres", REPLICA), ("cache", "redis", REDIS)), start=10,
        ):  # fmt: skip
            addresses[name] = str(subnet[place])
            found[name] = docker_client.containers.create(
                images.get(f"demo-{kind}", IMAGES[f"demo-{kind}"].reference),
                ["-c", script],
                entrypoint=["sh"],
                labels=labels,
                environment={
                    **environment,
                    "PAIR": ca.server(addresses[name]),
                    "CA": ca.pem,
                    "PRIMARY": addresses["primary"],
                },
            )
            docker_client.networks.get("bridge").disconnect(found[name])
            network.connect(found[name], ipv4_address=addresses[name])
            found[name].start()
        login = {"user": "postgres", "password": PASSWORD}
        certificate, key = ca.client()
        client = {"certificate": certificate, "key": key}
        verified = {"sslmode": "verify-full", "ca": ca.pem}
        setting = {
            "postgresql": {
                "primary": {**login, **verified, "address": f"{addresses['primary']}:5432"},
                "replica": {**login, "address": f"{addresses['replica']}:5432"},
                "managed": {
                    "user": USER,
                    "password": PASSWORD,
                    "database": DATABASE,
                    "sslmode": "require",
                    "address": f"{addresses['primary']}:5432",
                },
                # By its certificate, and without a password.
                "client": {
                    **verified,
                    **client,
                    "user": "client-under-test",
                    "address": f"{addresses['primary']}:5432",
                },
                "reporting": {**login, "address": f"{addresses['reporting']}:5432"},
                # The right server, and an authority that did not sign its certificate.
                "stranger": {
                    **login,
                    **verified,
                    "ca": authority().pem,
                    "address": f"{addresses['primary']}:5432",
                },
            },
            "redis": {
                "cache": {
                    "address": f"{addresses['cache']}:6380",
                    "tls": True,
                    "ca": ca.pem,
                    **client,
                    "user": "exporter",
                    "password": PASSWORD,
                }
            },
        }
        try:
            yield found, setting
        finally:
            for container in found.values():
                stacks.say(container.logs(tail=10).decode())
                container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    servers: tuple[dict[str, Container], dict[str, Any]],
) -> Iterator[Stack]:
    with stacks.alone(STACK, docker_client):
        found = stacks.config(
            images,
            applicationNetworks=[APPLICATION],
            watch=["postgresql", "redis"],
            servers=servers[1],
            postgresPassword="",
            redisPassword="",
            alerts={
                "PostgreSQLReplicationLag": {"threshold": 5, "for": "2s"},
                "PostgreSQLReplicaLost": {"for": "2s"},
            },
        )
        config = program.StackConfig(found.values, (*found.secret_keys, "vitalstream:servers"))
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


def _up(stack: Stack) -> dict[str, float]:
    """Whether each server is up, by its name."""
    return {
        found["metric"]["instance"].split(":")[0].split("-exporter-")[1]: float(found["value"][1])
        for found in stack.query("instance:pg_up:min or instance:redis_up:min")
        # Before the first scrape there is one of no server.
        if "instance" in found["metric"]
    }


def test_each_server_is_reached_by_its_own_login_and_authority(stack: Stack) -> None:
    wanted = dict.fromkeys((*SERVERS, "cache"), 1.0)
    wanted["stranger"] = 0
    assert eventually(lambda: _up(stack) == wanted, WAIT_SECONDS), _up(stack)


def test_user_with_an_at_sign_reads_a_database_with_a_space_and_not_rdsadmin(stack: Stack) -> None:
    collector = 'pg_scrape_collector_success{instance=~".*managed.*",collector="database"}'
    assert eventually(
        lambda: [one["value"][1] for one in stack.query(collector)] == ["1"], WAIT_SECONDS
    )
    found = stack.query('pg_database_size_bytes{instance=~".*managed.*"}')
    databases = {one["metric"]["datname"] for one in found}
    assert DATABASE in databases
    assert "rdsadmin" not in databases


def test_replica_is_known_by_a_series_and_its_lag_and_loss_name_the_server(
    stack: Stack, servers: tuple[dict[str, Container], dict[str, Any]]
) -> None:
    def asked(name: str, query: str) -> None:
        done = servers[0][name].exec_run(["psql", "-U", "postgres", "-c", query])
        assert done.exit_code == 0, done.output

    def seen(name: str, query: str) -> bool:
        done = servers[0][name].exec_run(["psql", "-U", "postgres", "-c", query])
        return bool(done.exit_code == 0)

    def firing(alert: str, server: str) -> list[Any]:
        labels = f'alertname="{alert}",alertstate="firing",instance=~".*-{server}:.*"'
        found: list[Any] = stack.query(f"ALERTS{{{labels}}}")
        return found

    def roles() -> dict[str, str]:
        found = stack.query('pg_replication_is_replica{instance=~".*-(primary|replica):.*"}')
        return {one["metric"]["instance"].split("-")[-1]: one["value"][1] for one in found}

    assert eventually(lambda: roles() == {"primary:9187": "0", "replica:9187": "1"}, WAIT_SECONDS)
    replicas = 'instance:pg_replicas:count{instance=~".*-primary:.*"}'
    assert eventually(lambda: [x["value"][1] for x in stack.query(replicas)] == ["1"], WAIT_SECONDS)
    # A replica that has replayed no transaction yet has no time to measure its lag from.
    asked("primary", "CREATE TABLE replayed AS SELECT 1 AS x")
    assert eventually(lambda: seen("replica", "SELECT 1 FROM replayed"), WAIT_SECONDS)
    asked("replica", "SELECT pg_wal_replay_pause()")
    asked("primary", "CREATE TABLE lagging AS SELECT 1 AS x")
    assert eventually(lambda: firing("PostgreSQLReplicationLag", "replica"), WAIT_SECONDS)
    assert not firing("PostgreSQLReplicationLag", "primary")
    servers[0]["replica"].stop(timeout=2)
    assert eventually(lambda: firing("PostgreSQLReplicaLost", "primary"), WAIT_SECONDS)


def test_connection_is_encrypted(
    stack: Stack, servers: tuple[dict[str, Container], dict[str, Any]]
) -> None:
    assert eventually(lambda: _up(stack).get("primary") == 1, WAIT_SECONDS)
    query = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl"
    command = ["psql", "-U", "postgres", "-At", "-c", query]
    # It asks anew for each scrape.
    assert eventually(
        lambda: int(servers[0]["primary"].exec_run(command).output.decode().strip() or 0) > 0,
        WAIT_SECONDS, pause=0.1,
    )  # fmt: skip


def test_alert_names_the_server_that_is_down(
    stack: Stack, servers: tuple[dict[str, Container], dict[str, Any]]
) -> None:
    down = 'ALERTS{alertname="PostgreSQLDown",instance=~".*reporting.*"}'
    assert eventually(lambda: _up(stack).get("reporting") == 1, WAIT_SECONDS)
    stop = ["sh", "-c", "kill -INT $(head -n 1 $PGDATA/postmaster.pid)"]
    assert servers[0]["reporting"].exec_run(stop).exit_code == 0
    assert eventually(lambda: stack.query(down), WAIT_SECONDS)
    assert _up(stack)["primary"] == 1


def test_password_is_in_no_environment_and_no_command(stack: Stack) -> None:
    for container in stack.containers():
        assert PASSWORD not in str(container.attrs["Config"])
