"""Backup of a running stack, loss of all its data, and restore."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from rich.console import Console

from ops import backup
from ops.backup import lock, shell
from ops.offline import local_deploy
from tests.live import backup_stack as backups
from tests.live import stack as stacks
from tests.live.backup_stack import HISTORY, LOGIN, Facts, Listener
from tests.live.stack import SCRAPE_SECONDS, TIMEOUT_SECONDS, Stack, eventually

NAME = "live-backup"
PROGRESS = backup.Progress(Console())


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """Start a stack with Grafana, if its image is available, and with samples of the day before."""
    config = stacks.config(images)
    with stacks.alone(NAME, docker_client):
        backups.add_history(docker_client, images.get("prometheus"), NAME)
        result = local_deploy.up(NAME, config, stacks.say)
        yield Stack(NAME, docker_client, config, result)


@pytest.fixture(scope="module")
def listener(stack: Stack) -> Iterator[Listener]:
    """Webhook that has received one alert and must not receive it again."""
    with backups.listening(stack) as found:
        backups.raise_alert(stack)
        assert eventually(lambda: found.notifications, 60)
        yield found


@dataclass(frozen=True)
class Kept:
    """Archive, the facts at the time of the backup, and the times when it began and ended."""

    archive: Path
    facts: Facts
    began: float
    ended: float


@pytest.fixture(scope="module")
def kept(stack: Stack, listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("backups")
    if "grafana" in stack.result.urls:
        backups.add_user_and_dashboard(stack)
    stacks.silence(stack, "Of kept", "kept")
    assert eventually(lambda: len(scrapes(stack)) > 2, 60)
    began = time.time()
    archive = backup.backup(stack.client, NAME, folder, 3, PROGRESS)
    ended = time.time()
    return Kept(archive, backups.facts(stack, began), began, ended)


def scrapes(stack: Stack) -> list[float]:
    """Return the times of Prometheus' recent scrapes of itself, in seconds."""
    found = stack.query('up{job="prometheus"}[2m]')
    return [float(when) for when, _ in found[0]["values"]] if found else []


def test_backup_misses_no_scrape(stack: Stack, kept: Kept) -> None:
    assert eventually(lambda: scrapes(stack)[-1] > kept.ended + SCRAPE_SECONDS, 60)
    times = scrapes(stack)
    assert times[0] < kept.began
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) < 1.5 * SCRAPE_SECONDS


def test_backup_restarts_neither_prometheus_nor_grafana(stack: Stack, kept: Kept) -> None:
    for service in {"prometheus", "grafana"} & set(stack.result.urls):
        assert stack.container(service).attrs["State"]["StartedAt"] < iso(kept.began), service


def test_container_script_output_excludes_stderr(stack: Stack) -> None:
    script = "echo warning >&2; echo answer; echo warning >&2"
    assert shell.run(stack.container("prometheus"), script) == (0, "answer")


def iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def test_backup_success_metric_is_scraped(stack: Stack, kept: Kept) -> None:
    expr = 'vitalstream_backup_last_success_timestamp_seconds{stack="live-backup",job="node"}'
    assert eventually(lambda: stack.query(expr), 60)
    assert stack.value(expr) == pytest.approx(kept.ended, abs=2)
    assert eventually(lambda: stack.value("instance:vitalstream_backup_age:seconds"), 60)


def test_backup_leaves_no_files_in_volumes(stack: Stack, kept: Kept) -> None:
    assert kept.archive.exists()
    assert backups.leftovers(stack) == []


@dataclass(frozen=True)
class Restored:
    """Facts of the wiped stack and of the restored one; `notifications` counts repeated ones."""

    wiped: Facts
    facts: Facts
    notifications: int


@pytest.fixture(scope="module")
def restored(stack: Stack, kept: Kept, listener: Listener) -> Restored:
    before = listener.notifications
    backups.wipe(stack)
    backups.raise_alert(stack)
    assert eventually(lambda: listener.notifications > before, 60), (
        "without its notification log it sends again"
    )
    wiped = backups.facts(stack, kept.began)
    notifications = listener.notifications
    backup.restore(stack.client, kept.archive, NAME, PROGRESS, lambda _question: True)
    facts = backups.facts(stack, kept.began)
    backups.raise_alert(stack)
    # The group waits for a second.
    time.sleep(3)
    return Restored(wiped, facts, listener.notifications - notifications)


def test_wiped_stack_has_no_data(restored: Restored, kept: Kept) -> None:
    assert kept.facts != restored.wiped
    assert restored.wiped == Facts(samples={}, silences=[], users={}, dashboards={})


def test_restore_brings_back_samples(restored: Restored, kept: Kept) -> None:
    assert set(kept.facts.samples) > {HISTORY, "up", "prometheus_tsdb_head_samples_appended_total"}
    assert restored.facts.samples == kept.facts.samples


def test_restore_brings_back_silences(restored: Restored, kept: Kept) -> None:
    assert [found["comment"] for found in kept.facts.silences] == ["kept"]
    assert restored.facts.silences == kept.facts.silences


def test_restore_sends_no_alert_again(restored: Restored) -> None:
    assert restored.notifications == 0


def grafana_of(stack: Stack) -> str:
    url = stack.result.urls.get("grafana")
    if url is None:
        pytest.skip("Grafana is left out: no image of it is available")
    return url


def test_restore_brings_back_users(stack: Stack, restored: Restored, kept: Kept) -> None:
    grafana_of(stack)
    assert "nurse" in kept.facts.users
    assert restored.facts.users == kept.facts.users


def test_restore_brings_back_dashboards(stack: Stack, restored: Restored, kept: Kept) -> None:
    grafana_of(stack)
    assert {"of-our-own", "vitalstream-overview"} < set(kept.facts.dashboards)
    assert restored.facts.dashboards == kept.facts.dashboards


def test_restore_keeps_the_stacks_password(stack: Stack, restored: Restored) -> None:
    """`pulumi up` logs in with it, whatever password the archive contains."""
    url = f"{grafana_of(stack)}/api/org"
    assert requests.get(url, auth=LOGIN, timeout=TIMEOUT_SECONDS).ok
    assert restored.facts.users


def test_restore_resumes_scraping(stack: Stack, restored: Restored) -> None:
    moment = time.time()
    assert restored.facts.samples
    assert eventually(lambda: scrapes(stack)[-1] > moment, 60)


def test_restore_leaves_wal_intact(stack: Stack, restored: Restored) -> None:
    assert restored.facts.samples
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_corruptions_total"), 60)
    assert stack.value("prometheus_tsdb_wal_corruptions_total") == 0


def test_restore_leaves_no_files_in_volumes(stack: Stack, restored: Restored) -> None:
    assert restored.facts.samples
    assert backups.leftovers(stack) == []


# Refusals come before any change: the containers keep running.


@pytest.fixture
def untouched(stack: Stack, kept: Kept) -> Iterator[Any]:
    before = {found.name: found.attrs["State"]["StartedAt"] for found in stack.containers()}
    yield
    after = {found.name: found.attrs["State"]["StartedAt"] for found in stack.containers()}
    assert after == before
    assert backups.leftovers(stack) == []


def refusal(stack: Stack, archive: Path, name: str = NAME, **options: Any) -> str:
    with pytest.raises(backup.BackupError) as refused:
        backup.restore(stack.client, archive, name, PROGRESS, lambda _question: True, **options)
    return str(refused.value)


@pytest.mark.usefixtures("untouched")
def test_restore_dry_run_changes_nothing(stack: Stack, kept: Kept) -> None:
    def nobody(question: str) -> bool:
        raise AssertionError(question)

    backup.restore(stack.client, kept.archive, NAME, PROGRESS, nobody, dry_run=True)


@pytest.mark.usefixtures("untouched")
def test_restore_not_confirmed_changes_nothing(stack: Stack, kept: Kept) -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(backup.BackupError, match="Not confirmed"):
        backup.restore(stack.client, kept.archive, NAME, PROGRESS, no)
    assert "What the stack live-backup has now is replaced" in asked[0]


@pytest.mark.usefixtures("untouched")
def test_restore_of_another_stacks_archive_is_refused(
    stack: Stack, kept: Kept, tmp_path: Path
) -> None:
    other = backups.changed(kept.archive, tmp_path / "other.tar", stack="elsewhere")
    assert "is of the stack elsewhere, not of live-backup" in refusal(stack, other)


@pytest.mark.usefixtures("untouched")
def test_restore_of_another_stacks_archive_can_be_forced(
    stack: Stack, kept: Kept, tmp_path: Path
) -> None:
    other = backups.changed(kept.archive, tmp_path / "other.tar", stack="elsewhere")
    backup.restore(
        stack.client, other, NAME, PROGRESS, lambda _question: True, force_stack=True, dry_run=True
    )


@pytest.mark.usefixtures("untouched")
def test_restore_of_newer_major_version_is_refused(
    stack: Stack, kept: Kept, tmp_path: Path
) -> None:
    newer = backups.changed(kept.archive, tmp_path / "newer.tar", prometheus="99.0.0")
    assert "data of prometheus 99.0.0, and the stack runs" in refusal(stack, newer)


@pytest.mark.usefixtures("untouched")
def test_restore_of_damaged_archive_changes_nothing(
    stack: Stack, kept: Kept, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.tar"
    content = bytearray(kept.archive.read_bytes())
    content[-9000] ^= 0xFF
    damaged.write_bytes(content)
    assert "differs from the manifest" in refusal(stack, damaged)


@pytest.mark.usefixtures("untouched")
def test_restore_without_disk_space_is_refused(
    stack: Stack, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock.VolumeHelper, "free_bytes", lambda _self, _path: 10**6)
    assert "the Docker host has 1.0 MB left" in refusal(stack, kept.archive)


@pytest.mark.usefixtures("untouched")
def test_backup_without_disk_space_is_refused(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.backup.lock.SPARE_BYTES", 10**18)
    with pytest.raises(backup.BackupError, match=r"may need 1\.0 EB"):
        backup.backup(stack.client, NAME, tmp_path, None, PROGRESS)
    assert list(tmp_path.iterdir()) == []


def test_backup_of_unknown_stack_lists_existing_stacks(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(backup.BackupError, match=r"no stack live-nowhere.*live-backup"):
        backup.backup(stack.client, "live-nowhere", tmp_path, None, PROGRESS)
