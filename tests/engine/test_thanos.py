"""Thanos beside Prometheus on the real engine, with a directory as its object storage."""

from __future__ import annotations

import docker
import pytest

from tests.engine.program import EngineStack, eventually

STACK = "engine-thanos"
LIKE = "dev"
REPOSITORY = "vitalstream-local/thanos"
CONFIG: dict[str, object] = {
    "demo": False,
    "scrapeInterval": "3s",
    "evaluationInterval": "3s",
    "thanos": {"directory": True},
}
PARTS = {"thanos-sidecar", "thanos-store", "thanos-compact", "thanos-query"}


@pytest.fixture(scope="module")
def up(engine: EngineStack, docker_client: docker.DockerClient) -> EngineStack:
    tags = [tag for image in docker_client.images.list(name=REPOSITORY) for tag in image.tags]
    if not tags:
        # Not a part of the engine, so REQUIRE_ENGINE does not ask for it.
        pytest.skip(f"there is no image {REPOSITORY} here, nor a Debian package to make it from")
    engine.values["images"] = {**engine.values["images"], "thanos": tags[0]}
    engine.up()
    return engine


def test_up_makes_every_component_healthy(up: EngineStack) -> None:
    services = {found.labels["vitalstream.service"] for found in up.containers()}
    assert services >= PARTS
    assert {container.health for container in up.containers()} == {"healthy"}


def test_up_scrapes_every_component(up: EngineStack) -> None:
    def all_up() -> bool:
        found = up.query('up{job=~"thanos.*"}')
        return len(found) >= len(PARTS) and {one["value"][1] for one in found} == {"1"}

    assert eventually(all_up, 60)


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_preview_refresh_unchanged_stack_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_up_bucket_retention_changed_keeps_prometheus(up: EngineStack) -> None:
    before = up.started()
    up.configure(thanos={"directory": True, "retention": {"raw": "20d"}})
    assert "replace" in up.up()
    after = up.started()
    assert {name for name in before if before[name] != after[name]} == {
        f"vitalstream-{STACK}-thanos-compact"
    }


def test_destroy_removes_every_docker_resource(up: EngineStack) -> None:
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])
