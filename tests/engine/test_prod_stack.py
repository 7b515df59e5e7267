"""The prod stack on the real engine: no demo, protected data."""

from __future__ import annotations

import pytest
from pulumi import automation

from tests.engine.program import EngineStack

STACK = "engine-prod"
LIKE = "prod"
CONFIG: dict[str, object] = {}
DATA_VOLUMES = {"alertmanager-data", "grafana-data", "prometheus-data"}


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up."""
    engine.up()
    return engine


def test_a_second_up_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_a_preview_with_refresh_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_prometheus_keeps_30_days(up: EngineStack) -> None:
    flags = up.get("prometheus", "/api/v1/status/flags")["data"]
    assert flags["storage.tsdb.retention.time"] == "30d"


def test_destroy_refuses_to_delete_protected_data(up: EngineStack) -> None:
    with pytest.raises(automation.CommandError, match="protected"):
        up.destroy()
    assert up.volumes() >= DATA_VOLUMES


def test_destroy_without_the_protected_leaves_the_data_volumes_alone(up: EngineStack) -> None:
    up.destroy(exclude_protected=True)
    assert up.containers() == []
    assert up.networks() == []
    assert up.volumes() == DATA_VOLUMES


def test_the_stack_comes_back_with_its_data_volumes(up: EngineStack) -> None:
    up.up()
    assert {container.health for container in up.containers()} == {"healthy"}


def test_unprotected_everything_goes(up: EngineStack) -> None:
    up.configure(protectData=False)
    up.up()
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])
