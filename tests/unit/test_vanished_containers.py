"""A container of another stack that goes while all are listed, which others' work does at any time:
docker-py lists them, and then looks at each.
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
    """Of an engine with a Grafana, and one that has gone since it was listed."""
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


def test_a_stack_that_is_not_there_is_told_with_those_that_are(client: docker.DockerClient) -> None:
    with pytest.raises(backup.BackupError, match=r"no stack nowhere .*there are: prod\)"):
        stack.members(client, "nowhere")


@pytest.mark.usefixtures("client")
def test_what_runs_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    containers.show()
    assert "prod   grafana" in capsys.readouterr().out


@pytest.mark.usefixtures("client")
def test_a_service_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(demo.DemoError, match="There are: grafana"):
        containers.logs("redis")
