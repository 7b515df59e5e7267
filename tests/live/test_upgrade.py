"""Upgrade from older images to newer ones and back: data is kept, or restored from a backup."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from rich.console import Console

from ops import backup
from ops.offline import local_deploy
from tests import newer_images
from tests.live import backup_stack as backups
from tests.live import stack as stacks
from tests.live.backup_stack import HISTORY, Facts
from tests.live.stack import Stack, eventually

NAME = "live-upgrade"
PROGRESS = backup.Progress(Console())
EXPORTERS = frozenset(("postgres-exporter", "redis-exporter"))


@dataclass(frozen=True)
class Upgrade:
    """Data before, at `moment`, and after an upgrade from `older` to `newer` images."""

    images: dict[str, str]
    older: dict[str, str]
    newer: dict[str, str]
    archive: Path
    moment: float
    before: Facts
    after: Facts
    stack: Stack


@pytest.fixture(scope="module")
def upgrade(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Upgrade]:
    older, newer = newer_images.pairs(docker_client)
    with stacks.alone(NAME, docker_client):
        backups.add_history(docker_client, older["prometheus"], NAME)
        stack = up(docker_client, images | older, newer)
        stacks.silence(stack, "Of kept", "kept")
        if "grafana" in stack.result.urls:
            backups.add_user_and_dashboard(stack)
        assert eventually(lambda: stack.query("instance:node_cpu_utilisation:ratio_rate5m"), 30)
        folder = tmp_path_factory.mktemp("backups")
        archive = backup.backup(docker_client, NAME, folder, None, PROGRESS)
        moment = time.time()
        before = backups.facts(stack, moment)
        stack = up(docker_client, images | newer, newer)
        after = backups.facts(stack, moment)
        yield Upgrade(images, older, newer, archive, moment, before, after, stack)


def up(client: docker.DockerClient, images: dict[str, str], newer: dict[str, str]) -> Stack:
    """Services that have a newer image, and their dependencies."""
    config = stacks.config(images)
    without = EXPORTERS if "grafana" in newer else EXPORTERS | {"grafana"}
    result = local_deploy.up(NAME, config, stacks.say, leave_out=without)
    return Stack(NAME, client, config, result)


def test_the_newer_images_run(upgrade: Upgrade) -> None:
    ids = {
        service: upgrade.stack.client.images.get(image).id
        for service, image in upgrade.newer.items()
    }
    running = {service: upgrade.stack.container(service).attrs["Image"] for service in ids}
    assert running == ids
    assert upgrade.older != upgrade.newer


def test_every_sample_is_still_there(upgrade: Upgrade) -> None:
    assert {HISTORY, "up"} < set(upgrade.before.samples)
    assert upgrade.after.samples == upgrade.before.samples


def test_silences_are_still_in_force(upgrade: Upgrade) -> None:
    assert [found["comment"] for found in upgrade.before.silences] == ["kept"]
    assert upgrade.after.silences == upgrade.before.silences


def test_users_and_dashboards_are_still_there(upgrade: Upgrade) -> None:
    if "grafana" not in upgrade.newer:
        pytest.skip("Grafana's images are not made here; LIVE_IMAGES=pinned pulls two")
    assert upgrade.after.users == upgrade.before.users
    # A newer version may say more of a dashboard than the older one did.
    assert set(upgrade.after.dashboards) == set(upgrade.before.dashboards)


def test_every_rule_evaluates_without_error(upgrade: Upgrade) -> None:
    def faulty() -> dict[str, Any]:
        rules = upgrade.stack.rules()
        return {name: rule for name, rule in rules.items() if rule["health"] != "ok"}

    eventually(lambda: not faulty(), 60)
    assert faulty() == {}


def test_nothing_of_the_log_was_given_up(upgrade: Upgrade) -> None:
    assert eventually(lambda: upgrade.stack.query("prometheus_tsdb_wal_corruptions_total"), 60)
    assert upgrade.stack.value("prometheus_tsdb_wal_corruptions_total") == 0


@pytest.fixture(scope="module")
def back(upgrade: Upgrade, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, Path]:
    """Stack back on the older images, with an archive of the newer ones."""
    client = upgrade.stack.client
    newer = backup.backup(client, NAME, tmp_path_factory.mktemp("newer"), None, PROGRESS)
    return up(client, upgrade.images | upgrade.older, upgrade.newer), newer


def test_data_of_the_newer_major_version_is_refused_by_the_older(
    back: tuple[Stack, Path],
) -> None:
    stack, newer = back
    with pytest.raises(
        backup.BackupError, match=r"data of prometheus .*docs/operations/upgrades\.md"
    ):
        backup.restore(stack.client, newer, NAME, PROGRESS, lambda _question: True)


def test_the_backup_from_before_brings_everything_back(
    back: tuple[Stack, Path], upgrade: Upgrade
) -> None:
    stack, _ = back
    backup.restore(stack.client, upgrade.archive, NAME, PROGRESS, lambda _question: True)
    # The archive is a little older than what was asked.
    found, before = backups.facts(stack, upgrade.moment), upgrade.before
    assert found.samples[HISTORY] == before.samples[HISTORY]
    assert found.silences == before.silences
    assert set(found.samples) == set(before.samples)
