"""Removal of a stack from an engine that does not release a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import docker.errors
import pytest

from ops.offline import local_deploy

STALE = "error while removing network: network alertmanager id 87b93 has active endpoints"


@dataclass
class Thing:
    """Network or volume, with Docker's answer to its removal."""

    name: str
    refusal: str = ""
    containers: list[Any] = field(default_factory=list)
    gone: bool = False

    def reload(self) -> None:
        """Refresh the container; docker-py's name."""

    def remove(self) -> None:
        if self.refusal:
            raise docker.errors.APIError("403", explanation=self.refusal)
        self.gone = True


@dataclass
class Collection:
    things: list[Thing]

    def list(self, **_: object) -> list[Thing]:
        return self.things


@dataclass
class Engine:
    networks: Collection
    volumes: Collection
    containers: Collection = field(default_factory=lambda: Collection([]))


def down(engine: Any) -> None:
    local_deploy.down(engine, "ward", volumes=True)


def test_stale_connection_is_reported_with_fix() -> None:
    engine = Engine(Collection([Thing("alertmanager", STALE)]), Collection([]))
    with pytest.raises(
        local_deploy.StaleNetworkError, match=r"network alertmanager .*Restart Docker"
    ):
        down(engine)


def test_stale_connection_removes_everything_else() -> None:
    networks = [Thing("alertmanager", STALE), *(Thing(f"network-{n}") for n in range(20))]
    volume = Thing("prometheus-data")
    with pytest.raises(local_deploy.StaleNetworkError):
        down(Engine(Collection(networks), Collection([volume])))
    assert [thing.name for thing in (*networks, volume) if not thing.gone] == ["alertmanager"]


def test_other_refusal_quotes_docker() -> None:
    engine = Engine(Collection([Thing("alertmanager", "permission denied")]), Collection([]))
    with pytest.raises(
        local_deploy.LocalDeployError, match=r"alertmanager cannot be .*: permission de"
    ):
        down(engine)


@pytest.mark.parametrize("first", [[], [Thing("targets", STALE)]], ids=["alone", "after a stale"])
def test_other_refusal_keeps_the_data(first: list[Thing]) -> None:
    volume = Thing("prometheus-data")
    engine = Engine(Collection([*first, Thing("alertmanager", "no")]), Collection([volume]))
    with pytest.raises(local_deploy.LocalDeployError):
        down(engine)
    assert not volume.gone
