"""Container of another stack that is removed while all containers are listed.

docker-py lists them first and then inspects each.
"""

from __future__ import annotations

from typing import Any

import docker
import docker.errors
import pytest

from ops import backup, containers
from ops.backup import stack
from ops.demo import demo

LABELS = {"vitalstream.stack": "prod", "vitalstream.service": "grafana"}
GONE = "gone"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> docker.DockerClient:
    """Client of an engine with a Grafana, and a container removed after it was listed."""
    found = docker.DockerClient(base_url="tcp://127.0.0.1:9", version="1.41")
    monkeypatch.setattr(found.api, "containers", lambda **_: [{"Id": "there"}, {"Id": GONE}])
    monkeypatch.setattr(found.api, "inspect_container", _inspect)
    monkeypatch.setattr(containers, "docker_client", lambda: found)
    return found


def _inspect(name: str) -> dict[str, Any]:
    if name != "there":
        raise docker.errors.NotFound(f"No such container: {name}")
    return {
        "Id": name,
        "Name": "/vitalstream-prod-grafana",
        "Config": {"Labels": LABELS, "Image": "grafana"},
        "State": {"Status": "exited"},
        "NetworkSettings": {"Ports": {}},
    }


def test_unknown_stack_is_reported_with_known_stacks(client: docker.DockerClient) -> None:
    with pytest.raises(backup.BackupError, match=r"no stack nowhere .*there are: prod\)"):
        stack.members(client, "nowhere")


@pytest.mark.usefixtures("client")
def test_running_containers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    containers.show()
    assert "prod   grafana" in capsys.readouterr().out


@pytest.mark.usefixtures("client")
def test_unknown_service_is_reported_with_known_services() -> None:
    with pytest.raises(demo.DemoError, match="There are: grafana"):
        containers.logs("redis")
