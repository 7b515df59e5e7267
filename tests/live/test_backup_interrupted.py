"""Recovery from backups and restores that are killed or fail.

The stack runs Alertmanager alone; its silences show which data it has.
"""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from rich.console import Console

from ops import backup
from ops.backup import lock, recover, snapshot
from ops.backup import stack as stacks_kept
from ops.backup.stack import Member
from ops.offline import local_deploy
from tests import backup_archives as archives
from tests.live import backup_stack as backups
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually

NAME = "live-backup-cut"
PROGRESS = backup.Progress(Console())
ROOT = Path(__file__).resolve().parents[2]
OTHERS = frozenset(("grafana", "prometheus", "node-exporter", "postgres-exporter"))

# Run in a separate process, which kills itself at one point.
DRIVER = """
import os, signal, sys, time
from pathlib import Path
from rich.console import Console
from ops import backup
from ops.backup import lock, stack, staging, writer
restore = sys.modules["ops.backup.restore"]

def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

def and_die(method):
    def both(*args, **options):
        method(*args, **options)
        die()
    return both

def swap_half(helper, name, *arguments):
    script = (lock.SCRIPTS / name).read_text().split("\\nphase in\\n")[0]
    helper.run(script, *arguments)
    die()

def interrupt(*_args, **_options):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)

# Ignored, if this was started from a shell in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
{point}
command, name, path = sys.argv[1:]
client, progress = backup.engine(name), backup.Progress(Console())
if command == "backup":
    backup.backup(client, name, Path(path), None, progress)
else:
    backup.restore(client, Path(path), name, progress, lambda _question: True)
"""
UNDONE = {
    "while the files are coming": "staging.Staging.receive = and_die(staging.Staging.receive)",
    "before the service is stopped": "restore._Restore._swap = die",
    "once the service is stopped": "staging.Staging.swap = die",
    "while the old data moves out": "lock.VolumeHelper.script = swap_half",
    "once the new data is in": "staging.Staging.swap = and_die(staging.Staging.swap)",
}
COMPLETED = {
    "while the service starts": "stack.Member.wait = die",
    "once the service is healthy": "staging.Staging.forget_old = die",
}


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    config = stacks.config(images)
    with stacks.alone(NAME, docker_client):
        alone = OTHERS | {"redis-exporter"}
        result = local_deploy.up(NAME, config, stacks.say, leave_out=alone)
        yield Stack(NAME, docker_client, config, result)


@pytest.fixture(scope="module")
def archive(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive taken when there was one silence."""
    stacks.silence(stack, "Of kept", "kept")
    folder = tmp_path_factory.mktemp("backups")
    return backup.backup(stack.client, NAME, folder, None, PROGRESS)


@pytest.fixture
def now(stack: Stack, archive: Path) -> Path:
    """Archive of the stack, which has another silence since then."""
    if "now" not in backups.silences(stack):
        stacks.silence(stack, "Of now", "now")
    return archive


def run(command: str, path: Path, point: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER.replace("{point}", point), command, NAME, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def member(stack: Stack) -> Member:
    (found,) = stacks_kept.members(stack.client, NAME)
    return found


def recovered(stack: Stack) -> set[str]:
    """Recover from a killed command and return the silences."""
    there = member(stack)
    with backups.volumes(stack) as helper:
        recover.recover([there], helper, PROGRESS)
        assert backups.left_in_volumes(helper) == []
    there.wait(60)
    assert backups.left_containers(stack) == []
    return backups.silences(stack)


@pytest.mark.parametrize("point", UNDONE)
def test_restore_killed_before_service_start_is_undone(point: str, now: Path, stack: Stack) -> None:
    assert run("restore", now, UNDONE[point]).returncode == -signal.SIGKILL
    assert recovered(stack) == {"kept", "now"}


@pytest.mark.parametrize("point", COMPLETED)
def test_restore_killed_after_service_start_is_completed(
    point: str, now: Path, stack: Stack
) -> None:
    """The service may have run on the new data for weeks before somebody recovers."""
    assert run("restore", now, COMPLETED[point]).returncode == -signal.SIGKILL
    member(stack).wait(60)
    assert recovered(stack) == {"kept"}


def test_killed_restore_can_be_repeated(now: Path, stack: Stack) -> None:
    run("restore", now, UNDONE["while the old data moves out"])
    backup.restore(stack.client, now, NAME, PROGRESS, lambda _question: True)
    assert backups.silences(stack) == {"kept"}
    assert backups.leftovers(stack) == []


def test_interrupted_restore_puts_old_data_back(now: Path, stack: Stack) -> None:
    done = run("restore", now, "stack.Member.wait = interrupt")
    assert done.returncode != 0
    assert "putting the old data back" in done.stdout
    member(stack).wait(60)
    assert backups.silences(stack) == {"kept", "now"}
    assert backups.leftovers(stack) == []


def test_restore_of_unusable_data_is_rolled_back(now: Path, stack: Stack, tmp_path: Path) -> None:
    noise = archives.files_of({"silences": b"\xff" * 50, "nflog": b""})
    packed = gzip.compress(noise)
    part = archives.part_of(packed, 50, 2)
    bad = archives.crafted(tmp_path / "bad.tar", packed, part, stack=NAME)
    with pytest.raises(
        backup.BackupError, match=r"(?s)alertmanager does not stay up.*End of its log"
    ):
        backup.restore(stack.client, bad, NAME, PROGRESS, lambda _question: True)
    member(stack).wait(60)
    assert backups.silences(stack) == {"kept", "now"}
    assert backups.leftovers(stack) == []


def test_restore_for_unknown_service_is_refused(
    stack: Stack, archive: Path, tmp_path: Path
) -> None:
    packed = gzip.compress(archives.files_of({}))
    part = archives.part_of(packed, 0, 0)
    services = {"grafana": part.model_dump()}
    other = archives.crafted(tmp_path / "g.tar", packed, part, stack=NAME, services=services)
    with pytest.raises(backup.BackupError, match=r"of grafana, of which the stack .* has no"):
        backup.restore(stack.client, other, NAME, PROGRESS, lambda _question: True)


def test_backup_removes_leftovers_of_killed_backup(stack: Stack, tmp_path: Path) -> None:
    assert run("backup", tmp_path, "writer.ArchiveWriter.finish = die").returncode < 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    path = backup.backup(stack.client, NAME, tmp_path, None, PROGRESS)
    assert list(tmp_path.iterdir()) == [path]
    assert backups.leftovers(stack) == []


def test_concurrent_backup_is_refused(stack: Stack, tmp_path: Path) -> None:
    with (
        backups.volumes(stack),
        pytest.raises(backup.BackupError, match="is under way, by process"),
    ):
        backup.backup(stack.client, NAME, tmp_path, None, PROGRESS)
    assert list(tmp_path.iterdir()) == []


def test_backup_lock_of_another_machine_is_kept(stack: Stack, tmp_path: Path) -> None:
    there = stack.client.containers.create(
        stack.container("alertmanager").attrs["Image"],
        name=f"vitalstream-{NAME}-backup",
        labels={lock.OWNER_LABEL: "elsewhere 1 1"},
    )
    try:
        with pytest.raises(backup.BackupError, match=r"by process 1 on elsewhere.*docker rm -f"):
            backup.backup(stack.client, NAME, tmp_path, None, PROGRESS)
        there.reload()
    finally:
        there.remove(force=True, v=True)


# A disk that hangs, simulated by a `cp` ahead of the real one in PATH: it records the process
# states, sleeps until the time limit has passed, and records them again.
GUARD_SECONDS = 1
SLOW_CP = """#!/bin/sh
cd /alertmanager/.slow
cat /proc/[0-9]*/stat >during
{also}
sleep 4
cat /proc/[0-9]*/stat >after.next
mv after.next after
"""


@dataclass(frozen=True)
class Slow:
    """Result of a backup on a slow disk: whether the service was stopped in it and afterwards."""

    status: int
    words: str
    during: bool
    after: bool


def slowly(stack: Stack, also: str = "") -> Slow:
    there, folder = member(stack), "/alertmanager/.slow"
    try:
        script = SLOW_CP.replace("{also}", also)
        there.run(f'mkdir {folder} && cd {folder} && echo "$1" >cp && chmod 755 cp', script)
        still_sh = (lock.SCRIPTS / "snapshot.sh").read_text()
        arguments = ("/alertmanager", snapshot.STAGE, str(GUARD_SECONDS), ".slow", "", "")
        status, words = there.run(f"PATH={folder}:$PATH\n{still_sh}", *arguments)
        assert eventually(lambda: there.run(f"cat {folder}/after")[0] == 0, 30)
        states = [there.run(f"cat {folder}/{when}")[1] for when in ("during", "after")]
        return Slow(status, words, *map(is_stopped, states))
    finally:
        there.run(f"rm -rf {folder}")
        with backups.volumes(stack) as helper:
            snapshot.remove(there, helper)


def is_stopped(states: str) -> bool:
    """Return whether the service itself is stopped: a child of process 1, unlike the shells."""
    return re.search(r"^\d+ \((?!sleep).*\) T 1 ", states, re.MULTILINE) is not None


@pytest.fixture(scope="module")
def slow(stack: Stack) -> Slow:
    return slowly(stack)


def test_backup_on_hanging_disk_resumes_service(slow: Slow) -> None:
    assert (slow.during, slow.after) == (True, False)


def test_backup_beyond_time_limit_fails(slow: Slow) -> None:
    assert slow.status == 1
    assert slow.words == f"it took more than {GUARD_SECONDS} s, and the service had to go on"


def test_killed_backup_script_resumes_service(stack: Stack) -> None:
    killed = slowly(stack, also="kill -9 $PPID")
    assert (killed.during, killed.after) == (True, False)
