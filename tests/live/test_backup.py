"""A stack that is kept while it works, loses everything, and gets it back."""

from __future__ import annotations

import itertools
import sys
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
TELLER = backup.Progress(Console())


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """With Grafana where there is an image of it, and with samples of the day before."""
    config = stacks.config(images, keepAllMetrics=True)
    with stacks.alone(NAME, docker_client):
        backups.add_history(docker_client, images.get("prometheus"), NAME)
        result = local_deploy.up(NAME, config, stacks.say)
        yield Stack(NAME, docker_client, config, result)


@pytest.fixture(scope="module")
def listener(stack: Stack) -> Iterator[Listener]:
    """Has been told of an alert, and is to be told of it once."""
    with backups.listening(stack) as found:
        backups.raise_alert(stack)
        assert eventually(lambda: found.told, 60)
        yield found


@dataclass(frozen=True)
class Source:
    """The archive, what was there when it was taken, and from when to when that was."""

    archive: Path
    facts: Facts
    began: float
    ended: float


@pytest.fixture(scope="module")
def kept(stack: Stack, listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("backups")
    if "grafana" in stack.result.urls:
        backups.add_user_and_dashboard(stack)
    stacks.silence(stack, "Of kept", "kept")
    assert eventually(lambda: len(scrapes(stack)) > 2, 60)
    began = time.time()
    archive = backup.backup(stack.client, NAME, folder, 3, TELLER)
    ended = time.time()
    return Source(archive, backups.facts(stack, began), began, ended)


def scrapes(stack: Stack) -> list[float]:
    """When Prometheus scraped itself of late, in seconds."""
    found = stack.query('up{job="prometheus"}[2m]')
    return [float(when) for when, _ in found[0]["values"]] if found else []


def test_no_scrape_is_missed_while_a_backup_is_taken(stack: Stack, kept: Source) -> None:
    assert eventually(lambda: scrapes(stack)[-1] > kept.ended + SCRAPE_SECONDS, 60)
    times = scrapes(stack)
    assert times[0] < kept.began
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) < 1.5 * SCRAPE_SECONDS


def test_a_backup_restarts_neither_prometheus_nor_grafana(stack: Stack, kept: Source) -> None:
    for service in {"prometheus", "grafana"} & set(stack.result.urls):
        assert stack.container(service).attrs["State"]["StartedAt"] < iso(kept.began), service


def test_what_a_script_warns_of_in_a_container_is_no_part_of_its_answer(stack: Stack) -> None:
    script = "echo warning >&2; echo answer; echo warning >&2"
    assert shell.run(stack.container("prometheus"), script) == (0, "answer")


def iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def test_the_last_success_is_scraped(stack: Stack, kept: Source) -> None:
    expr = 'vitalstream_backup_last_success_timestamp_seconds{stack="live-backup",job="node"}'
    assert eventually(lambda: stack.query(expr), 60)
    assert stack.value(expr) == pytest.approx(kept.ended, abs=2)
    assert eventually(lambda: stack.value("instance:vitalstream_backup_age:seconds"), 60)


def test_a_backup_leaves_nothing_in_the_volumes(stack: Stack, kept: Source) -> None:
    assert kept.archive.exists()
    assert backups.leftovers(stack) == []


@dataclass(frozen=True)
class Restored:
    """What the wiped stack had, and what it had again after the restore."""

    wiped: Facts
    facts: Facts
    told: int


@pytest.fixture(scope="module")
def restored(stack: Stack, kept: Source, listener: Listener) -> Restored:
    before = listener.told
    backups.wipe(stack)
    backups.raise_alert(stack)
    assert eventually(lambda: listener.told > before, 60), "without its log it tells again"
    wiped = backups.facts(stack, kept.began)
    told = listener.told
    backup.restore(stack.client, kept.archive, NAME, TELLER, lambda _question: True)
    facts = backups.facts(stack, kept.began)
    backups.raise_alert(stack)
    # The group waits for a second.
    time.sleep(3)
    return Restored(wiped, facts, listener.told - told)


def test_without_the_restore_everything_was_gone(restored: Restored, kept: Source) -> None:
    assert kept.facts != restored.wiped
    assert restored.wiped == Facts(samples={}, silences=[], users={}, dashboards={})


def test_the_same_queries_have_the_same_samples(restored: Restored, kept: Source) -> None:
    assert set(kept.facts.samples) > {HISTORY, "up", "prometheus_tsdb_head_samples_appended_total"}
    assert restored.facts.samples == kept.facts.samples


def test_the_same_silences_are_in_force(restored: Restored, kept: Source) -> None:
    assert [found["comment"] for found in kept.facts.silences] == ["kept"]
    assert restored.facts.silences == kept.facts.silences


def test_nobody_is_told_again_of_what_was_told_before_the_backup(restored: Restored) -> None:
    assert restored.told == 0


def grafana_of(stack: Stack) -> str:
    url = stack.result.urls.get("grafana")
    if url is None:
        pytest.skip("Grafana is left out: there is no image of it here")
    return url


def test_the_same_users_are_there(stack: Stack, restored: Restored, kept: Source) -> None:
    grafana_of(stack)
    assert "nurse" in kept.facts.users
    assert restored.facts.users == kept.facts.users


def test_the_same_dashboards_are_there(stack: Stack, restored: Restored, kept: Source) -> None:
    grafana_of(stack)
    assert {"of-our-own", "vitalstream-overview"} < set(kept.facts.dashboards)
    assert restored.facts.dashboards == kept.facts.dashboards


def test_the_stacks_own_password_is_in_force(stack: Stack, restored: Restored) -> None:
    """Whatever it was when the archive was taken: `pulumi up` logs in with it."""
    url = f"{grafana_of(stack)}/api/org"
    assert requests.get(url, auth=LOGIN, timeout=TIMEOUT_SECONDS).ok
    assert restored.facts.users


def test_scraping_goes_on_after_a_restore(stack: Stack, restored: Restored) -> None:
    moment = time.time()
    assert restored.facts.samples
    assert eventually(lambda: scrapes(stack)[-1] > moment, 60)


def test_the_log_is_whole(stack: Stack, restored: Restored) -> None:
    assert restored.facts.samples
    assert eventually(lambda: stack.query("prometheus_tsdb_wal_corruptions_total"), 60)
    assert stack.value("prometheus_tsdb_wal_corruptions_total") == 0


def test_a_restore_leaves_nothing_in_the_volumes(stack: Stack, restored: Restored) -> None:
    assert restored.facts.samples
    assert backups.leftovers(stack) == []


# Told before anything is touched: the containers run on.


@pytest.fixture
def untouched(stack: Stack, kept: Source) -> Iterator[Any]:
    before = {found.name: found.attrs["State"]["StartedAt"] for found in stack.containers()}
    yield
    after = {found.name: found.attrs["State"]["StartedAt"] for found in stack.containers()}
    assert after == before
    assert backups.leftovers(stack) == []


def refusal(stack: Stack, archive: Path, name: str = NAME, **options: Any) -> str:
    with pytest.raises(backup.BackupError) as refused:
        backup.restore(stack.client, archive, name, TELLER, lambda _question: True, **options)
    return str(refused.value)


@pytest.mark.usefixtures("untouched")
def test_a_dry_run_touches_nothing(stack: Stack, kept: Source) -> None:
    def nobody(question: str) -> bool:
        raise AssertionError(question)

    backup.restore(stack.client, kept.archive, NAME, TELLER, nobody, dry_run=True)


@pytest.mark.usefixtures("untouched")
def test_who_says_no_is_heard(stack: Stack, kept: Source) -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(backup.BackupError, match="Not confirmed"):
        backup.restore(stack.client, kept.archive, NAME, TELLER, no)
    assert "What the stack live-backup has now is replaced" in asked[0]


@pytest.mark.usefixtures("untouched")
def test_the_archive_of_another_stack_is_refused(
    stack: Stack, kept: Source, tmp_path: Path
) -> None:
    other = backups.changed(kept.archive, tmp_path / "other.tar", stack="elsewhere")
    assert "is of the stack elsewhere, not of live-backup" in refusal(stack, other)


@pytest.mark.usefixtures("untouched")
def test_the_archive_of_another_stack_can_be_forced(
    stack: Stack, kept: Source, tmp_path: Path
) -> None:
    other = backups.changed(kept.archive, tmp_path / "other.tar", stack="elsewhere")
    backup.restore(
        stack.client, other, NAME, TELLER, lambda _question: True, force_stack=True, dry_run=True
    )


@pytest.mark.usefixtures("untouched")
def test_data_of_a_newer_major_version_is_refused(
    stack: Stack, kept: Source, tmp_path: Path
) -> None:
    newer = backups.changed(kept.archive, tmp_path / "newer.tar", prometheus="99.0.0")
    assert "data of prometheus 99.0.0, and the stack runs" in refusal(stack, newer)


@pytest.mark.usefixtures("untouched")
def test_a_damaged_archive_is_refused_before_anything_is_touched(
    stack: Stack, kept: Source, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.tar"
    content = bytearray(kept.archive.read_bytes())
    content[-9000] ^= 0xFF
    damaged.write_bytes(content)
    assert "differs from the manifest" in refusal(stack, damaged)


@pytest.mark.usefixtures("untouched")
def test_without_room_for_both_nothing_is_begun(
    stack: Stack, kept: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock.VolumeHelper, "free_bytes", lambda _self, _path: 10**6)
    assert "the Docker host has 1.0 MB left" in refusal(stack, kept.archive)


@pytest.mark.usefixtures("untouched")
def test_without_room_for_an_archive_none_is_begun(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["ops.backup.backup"], "SPARE_BYTES", 10**18)
    with pytest.raises(backup.BackupError, match=r"may need 1\.0 EB"):
        backup.backup(stack.client, NAME, tmp_path, None, TELLER)
    assert list(tmp_path.iterdir()) == []


def test_a_stack_that_is_not_there_is_told_with_those_that_are(
    stack: Stack, tmp_path: Path
) -> None:
    with pytest.raises(backup.BackupError, match=r"no stack live-nowhere.*live-backup"):
        backup.backup(stack.client, "live-nowhere", tmp_path, None, TELLER)
