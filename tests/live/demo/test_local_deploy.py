"""What a deploy without the engine keeps, leaves out, refuses and removes."""

from __future__ import annotations

import socket
import threading
import time

import docker
import docker.errors
import pytest

from components.catalog.images import IMAGES
from ops.offline import local_deploy
from ops.offline.local_deploy import LocalDeployError, containers
from ops.offline.local_deploy.removal import Filters
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually, say
from tests.ports import free_ports

ALL_BUT_NODE_EXPORTER = frozenset(
    ("alertmanager", "grafana", "postgres-exporter", "prometheus", "redis-exporter")
)


@pytest.fixture(scope="module")
def again(bare: Stack) -> tuple[Stack, str, float, str]:
    """The second `up` of a stack, with a silence and a moment of before it."""
    assert eventually(lambda: bare.query("up"), 60)
    silenced, moment = stacks.silence(bare, "Watchdog", "survives"), time.time()
    before = bare.container("alertmanager").id
    result = local_deploy.up(bare.name, bare.config, say)
    return Stack(bare.name, bare.client, bare.config, result), silenced, moment, str(before)


def test_a_second_up_replaces_the_containers(again: tuple[Stack, str, float, str]) -> None:
    stack, _, _, before = again
    assert stack.container("alertmanager").id != before


def test_silences_survive_a_new_alertmanager(again: tuple[Stack, str, float, str]) -> None:
    stack, silenced, _, _ = again
    found = stack.get("alertmanager", f"/api/v2/silence/{silenced}")
    assert found["status"]["state"] == "active"


def test_samples_survive_a_new_prometheus(again: tuple[Stack, str, float, str]) -> None:
    stack, _, moment, _ = again
    assert stack.ask("query", query="up", time=moment)["result"]


def test_without_an_image_of_grafana_it_is_named_and_left_out(bare: Stack) -> None:
    assert "container grafana" in bare.result.left_out
    assert "datasource prometheus" in bare.result.left_out
    assert "dashboard overview" in bare.result.left_out


def test_what_is_left_out_is_not_there(bare: Stack) -> None:
    names = {container.name for container in bare.containers()}
    assert names == {
        f"vitalstream-{bare.name}-{service}"
        for service in ("alertmanager", "prometheus", "node-exporter", "postgres-exporter")
    } | {f"vitalstream-{bare.name}-redis-exporter"}


def test_all_that_is_made_says_who_made_it(bare: Stack) -> None:
    client = bare.client
    for things in (client.containers, client.networks, client.volumes):
        mine = things.list(filters=filters("vitalstream.stack=live-bare"))
        made = things.list(
            filters=filters("vitalstream.stack=live-bare", "vitalstream.made-by=rehearsal")
        )
        assert mine
        assert len(made) == len(mine)


def test_down_removes_what_is_of_the_stack_and_nothing_else(
    docker_client: docker.DockerClient, scratch: str
) -> None:
    name = f"vitalstream-{scratch}-grafana-data"
    theirs = docker_client.volumes.create(name)
    try:
        docker_client.volumes.create(f"{name}-2", labels={"vitalstream.stack": scratch})
        assert local_deploy.down(docker_client, scratch, volumes=True) == (f"{name}-2",)
        assert docker_client.volumes.get(name)
    finally:
        theirs.remove()


def test_down_keeps_the_volumes_unless_asked(
    docker_client: docker.DockerClient, scratch: str
) -> None:
    labels = {"vitalstream.stack": scratch}
    volume = docker_client.volumes.create(f"vitalstream-{scratch}-data", labels=labels)
    assert local_deploy.down(docker_client, scratch, volumes=False) == ()
    volume.reload()


def test_a_port_that_is_taken_is_named_with_the_setting(
    images: dict[str, str], scratch: str, docker_client: docker.DockerClient
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = stacks.config(images, ports={**free_ports(), "prometheus": port})
        with pytest.raises(
            LocalDeployError, match=rf"Port {port} .* prometheus .*ports\.prometheus"
        ):
            local_deploy.up(scratch, config, say)
    assert nothing_of(docker_client, scratch)


def test_a_port_of_another_container_names_that_container(
    images: dict[str, str], scratch: str, bare: Stack
) -> None:
    port = int(bare.result.urls["alertmanager"].rpartition(":")[2])
    config = stacks.config(images, ports={**free_ports(), "prometheus": port})
    holder = "vitalstream-live-bare-alertmanager"
    with pytest.raises(LocalDeployError, match=rf"Port {port} .* prometheus .* taken by {holder}"):
        local_deploy.up(scratch, config, say)


def test_a_name_of_someone_else_is_refused(
    images: dict[str, str], scratch: str, docker_client: docker.DockerClient
) -> None:
    theirs = docker_client.volumes.create(f"vitalstream-{scratch}-prometheus-data")
    try:
        with pytest.raises(LocalDeployError, match=r"prometheus-data is there and does not belong"):
            local_deploy.up(scratch, stacks.config(images), say)
    finally:
        theirs.remove()
    assert nothing_of(docker_client, scratch)


def test_a_stack_of_the_engine_is_not_replaced(
    images: dict[str, str], scratch: str, docker_client: docker.DockerClient
) -> None:
    labels = {"vitalstream.stack": scratch}
    network = docker_client.networks.create(f"vitalstream-{scratch}-alertmanager", labels=labels)
    with pytest.raises(LocalDeployError, match="made by `pulumi up`"):
        local_deploy.up(scratch, stacks.config(images), say)
    network.reload()


def test_an_image_that_is_not_there_is_named(images: dict[str, str], scratch: str) -> None:
    config = stacks.config({**images, "prometheus": "vitalstream-local/prometheus:none"})
    with pytest.raises(LocalDeployError, match="no image vitalstream-local/prometheus:none"):
        local_deploy.up(scratch, config, say)


def test_where_no_docker_answers_the_host_and_its_setting_are_named(
    images: dict[str, str],
) -> None:
    config = stacks.config(images, dockerHost="unix:///nowhere/docker.sock")
    with pytest.raises(
        LocalDeployError, match=r"unix:///nowhere/docker.sock.*vitalstream:dockerHost"
    ):
        local_deploy.up("live-scratch", config, say)


def test_a_container_that_does_not_stay_up_is_shown_with_its_log(
    images: dict[str, str], scratch: str
) -> None:
    wrong = images.get("alertmanager", IMAGES["alertmanager"].reference)
    config = stacks.config({**images, "node-exporter": wrong})
    with pytest.raises(
        LocalDeployError, match=r"(?s)does not stay up.*End of its log:.*node_exporter: not found"
    ):
        local_deploy.up(scratch, config, say, leave_out=ALL_BUT_NODE_EXPORTER)


def test_what_a_failure_leaves_behind_down_removes(
    images: dict[str, str], scratch: str, docker_client: docker.DockerClient
) -> None:
    wrong = images.get("redis-exporter", IMAGES["redis-exporter"].reference)
    config = stacks.config({**images, "node-exporter": wrong})
    with pytest.raises(LocalDeployError):
        local_deploy.up(scratch, config, say)
    local_deploy.down(docker_client, scratch, volumes=True)
    assert nothing_of(docker_client, scratch)


def test_a_container_that_never_gets_healthy_is_shown_with_its_log(
    images: dict[str, str], scratch: str, docker_client: docker.DockerClient
) -> None:
    name = f"vitalstream-{scratch}-unwell"
    inputs = {
        "name": name,
        "image": images.get("prometheus", IMAGES["prometheus"].reference),
        "entrypoints": ["sh", "-c", "echo it is not my day; sleep 60"],
        "healthcheck": {"tests": ["CMD-SHELL", "echo no; false"], "interval": "1s", "retries": 1},
        "labels": [{"label": "vitalstream.stack", "value": scratch}],
        "stopTimeout": 1,
        "wait": True,
        "waitTimeout": 3,
    }
    said = rf"(?s){name} is not healthy after 3 s .*no\).*it is not my day"
    with pytest.raises(LocalDeployError, match=said):
        containers.create(docker_client, inputs, threading.Event(), say)


def test_a_service_to_leave_out_has_to_be_one(images: dict[str, str]) -> None:
    with pytest.raises(LocalDeployError, match="no grafanna to leave out"):
        local_deploy.up(
            "live-scratch", stacks.config(images), say, leave_out=frozenset({"grafanna"})
        )


def filters(*labels: str) -> Filters:
    return {"label": list(labels)}


def nothing_of(client: docker.DockerClient, stack: str) -> bool:
    mine = filters(f"vitalstream.stack={stack}")
    return not any(
        (
            client.containers.list(all=True, filters=mine),
            client.networks.list(filters=mine),
            client.volumes.list(filters=mine),
        )
    )
