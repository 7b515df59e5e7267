"""Redis Sentinel with a master and a replica, and a Redis Cluster of three nodes, each watched."""

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
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually
from tests.pools import free_pool

STACK = "live-failover"
APPLICATION = "live-failover-app"
PASSWORD = "live#failover;Password-1"
LEFT_OUT = frozenset(("grafana",))
WAIT_SECONDS = 90
REDIS = 'exec redis-server --protected-mode no --requirepass "$PASSWORD" --masterauth "$PASSWORD"'
SENTINEL = """\
cat > /tmp/sentinel.conf << EOF
port 26379
protected-mode no
requirepass "$PASSWORD"
sentinel sentinel-pass "$PASSWORD"
sentinel monitor ward $MASTER 6379 2
sentinel auth-pass ward "$PASSWORD"
sentinel down-after-milliseconds ward 2000
sentinel failover-timeout ward 5000
EOF
exec redis-server /tmp/sentinel.conf --sentinel
"""
NODE = (
    "exec redis-server --protected-mode no --cluster-enabled yes --cluster-node-timeout 2000"
    " --cluster-config-file /tmp/nodes.conf"
)
SCRIPTS = {
    "master": REDIS,
    "replica": f"{REDIS} --replicaof $MASTER 6379",
    **{f"sentinel-{number}": SENTINEL for number in (1, 2, 3)},
    **{f"node-{number}": NODE for number in (1, 2, 3)},
}
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
ALERTS = (
    "RedisSentinelDown",
    "RedisSentinelMasterDown",
    "RedisSentinelQuorumAtRisk",
    "RedisSentinelNoReplica",
    "RedisClusterDown",
)
Servers = tuple[dict[str, Container], dict[str, str]]


@pytest.fixture(scope="module")
def servers(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Servers]:
    """The containers and their addresses, by name."""
    subnet = ipaddress.ip_network(free_pool())
    labels = {"vitalstream.stack": APPLICATION}
    addresses = {name: str(subnet[place]) for place, name in enumerate(SCRIPTS, start=10)}
    with stacks.alone(APPLICATION, docker_client):
        pools = [IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))]
        network = docker_client.networks.create(
            APPLICATION, internal=True, labels=labels, ipam=IPAMConfig(pool_configs=pools)
        )
        found = {}
        for name, script in SCRIPTS.items():
            found[name] = docker_client.containers.create(
                images.get("demo-redis", IMAGES["demo-redis"].reference),
                ["-c", script],
                entrypoint=["sh"],
                labels=labels,
                environment={"PASSWORD": PASSWORD, "MASTER": addresses["master"]},
            )
            docker_client.networks.get("bridge").disconnect(found[name])
            network.connect(found[name], ipv4_address=addresses[name])
            found[name].start()
        nodes = [f"{addresses[f'node-{number}']}:6379" for number in (1, 2, 3)]
        command = ["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"]
        try:
            assert eventually(lambda: found["node-1"].exec_run(command).exit_code == 0, 30)
            yield found, addresses
        finally:
            for container in found.values():
                stacks.say(container.logs(tail=10).decode())
                container.remove(force=True, v=True)


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient, images: dict[str, str], servers: Servers
) -> Iterator[Stack]:
    redis: dict[str, dict[str, Any]] = {}
    for name, address in servers[1].items():
        port = 26379 if name in SENTINELS else 6379
        redis[name] = {
            "address": f"{address}:{port}",
            **({"sentinel": True} if name in SENTINELS else {}),
            **({} if name.startswith("node") else {"password": PASSWORD}),
        }
    with stacks.alone(STACK, docker_client):
        found = stacks.config(
            images,
            applicationNetworks=[APPLICATION],
            watch=["redis"],
            servers={"redis": redis},
            redisPassword="",
            alerts={alert: {"for": "2s"} for alert in ALERTS},
        )
        config = program.StackConfig(found.values, (*found.secret_keys, "vitalstream:servers"))
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


def _firing(stack: Stack) -> set[str]:
    found = stack.query('ALERTS{alertstate="firing",alertname=~"Redis.*"}')
    return {one["metric"]["alertname"] for one in found}


def _values(stack: Stack, query: str) -> set[str]:
    return {one["value"][1] for one in stack.query(query)}


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("count(redis_up == 1)", "8"),
        ("count(instance:redis_up:min == 1)", "5"),
        ('master:redis_sentinel_master_up:max{master_name="ward"}', "1"),
        ("master:redis_sentinel_ok_replicas:max", "1"),
        ("master:redis_sentinel_spare_sentinels:min", "1"),
        ("count(redis_cluster_state == 1)", "3"),
        ("instance:redis_cluster_slots_lost:count", "0"),
    ],
)
def test_healthy_set_and_cluster_are_seen(query: str, value: str, stack: Stack) -> None:
    assert eventually(lambda: _values(stack, query) == {value}, WAIT_SECONDS), stack.query(query)


def test_healthy_set_and_cluster_have_no_alert(stack: Stack) -> None:
    assert eventually(lambda: not _firing(stack), WAIT_SECONDS), _firing(stack)


def test_failover_moves_the_master_and_leaves_no_alert(stack: Stack, servers: Servers) -> None:
    """The old master comes back as the replica."""
    servers[0]["master"].stop(timeout=2)
    address = f"{servers[1]['replica']}:6379"
    moved = f'redis_sentinel_master_status{{master_address="{address}",master_status="ok"}}'
    assert eventually(lambda: len(stack.query(moved)) == len(SENTINELS), WAIT_SECONDS)
    assert eventually(lambda: "RedisSentinelNoReplica" in _firing(stack), WAIT_SECONDS)
    servers[0]["master"].start()
    ended = {"RedisSentinelMasterDown", "RedisSentinelNoReplica"}
    assert eventually(lambda: not ended & _firing(stack), WAIT_SECONDS), _firing(stack)


def test_lost_sentinel_warns_and_lost_set_pages(stack: Stack, servers: Servers) -> None:
    servers[0]["sentinel-3"].stop(timeout=2)
    wanted = {"RedisSentinelDown", "RedisSentinelQuorumAtRisk"}
    assert eventually(lambda: wanted <= _firing(stack), WAIT_SECONDS), _firing(stack)
    # A Sentinel is no Redis.
    assert stack.query('ALERTS{alertname="RedisDown",instance=~".*sentinel.*"}') == []
    for name in ("master", "replica"):
        servers[0][name].stop(timeout=2)
    assert eventually(lambda: "RedisSentinelMasterDown" in _firing(stack), WAIT_SECONDS)


def test_cluster_that_lost_a_master_is_down_on_the_nodes_that_are_left(
    stack: Stack, servers: Servers
) -> None:
    servers[0]["node-3"].stop(timeout=2)
    down = 'ALERTS{alertname="RedisClusterDown",alertstate="firing"}'
    assert eventually(lambda: len(stack.query(down)) == 2, WAIT_SECONDS), stack.query(down)
    lost = "instance:redis_cluster_slots_lost:count"
    assert eventually(lambda: _values(stack, lost) == {"5461"}, WAIT_SECONDS), stack.query(lost)


def test_lost_slots_without_full_coverage_are_an_alert_of_their_own(
    stack: Stack, servers: Servers
) -> None:
    command = ["redis-cli", "config", "set", "cluster-require-full-coverage", "no"]
    for name in ("node-1", "node-2"):
        assert servers[0][name].exec_run(command).exit_code == 0
    pending = 'ALERTS{alertname="RedisClusterSlotsLost"}'
    assert eventually(lambda: len(stack.query(pending)) == 2, WAIT_SECONDS), stack.query(pending)
