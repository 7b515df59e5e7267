"""Consistent snapshot of a running service's files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ops.backup import lock
from ops.backup.errors import BackupError
from ops.backup.lock import VolumeHelper
from ops.backup.stack import Member

STAGE = ".vitalstream-backup"
# The service is resumed after this time, and the backup fails: a scrape comes every 15 s, at most
# every 2 minutes.
LONGEST_SECONDS = 10
# Copied instead of linked: the newest file of a log (128 MB) and a database.
MOST_COPIED_BYTES = 512 * 2**20
SPARE_SECONDS = 10
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Snapshot:
    """Files in `folder` of the volume helper; the service was paused for `seconds`."""

    folder: str
    seconds: float


def size(member: Member) -> int:
    """Return the approximate bytes to back up: the files change while they are counted."""
    kept = member.kept
    script = 'cd "$1" && find $2 -type f -exec stat -c %s {} + 2>/dev/null'
    _, output = member.run(script, kept.data_dir, f"{kept.copied} {kept.linked} {kept.logs}")
    return sum(int(line) for line in output.split() if line.isdigit())


def clock(member: Member) -> int:
    """Return the service's time in seconds since 1970."""
    return int(member.run("date +%s")[1])


@contextlib.contextmanager
def snapshot(member: Member, helper: VolumeHelper, since: int) -> Iterator[Snapshot]:
    """Snapshot the files at a moment after `since`, by the service's clock.

    The service runs again when this returns. Raises BackupError.
    """
    kept = member.kept
    if kept.written_every:
        _wait_until_written(member, since)
    script = (lock.SCRIPTS / "snapshot.sh").read_text()
    arguments = (kept.data_dir, STAGE, str(LONGEST_SECONDS), kept.copied, kept.linked, kept.logs)
    folder = f"{lock.ROOT}/{member.service}/{STAGE}"
    try:
        status, words = member.run(script, *arguments)
        if status != 0:
            raise BackupError(
                f"{member.container.name} cannot be backed up: {words or f'status {status}'}. It "
                "keeps running. fix: docs/operations/backup.md, backup by hand"
            )
        began, ended = words.splitlines()[-1].split()
        yield Snapshot(folder, float(ended) - float(began))
    finally:
        remove(member, helper)


def remove(member: Member, helper: VolumeHelper) -> None:
    helper.run('rm -rf "$1"', f"{lock.ROOT}/{member.service}/{STAGE}")


def _wait_until_written(member: Member, since: int) -> None:
    kept = member.kept
    seconds = 2 * kept.written_every + SPARE_SECONDS
    deadline = time.monotonic() + seconds
    while True:
        _, output = member.run(f"cd {kept.data_dir} && stat -c %Y {kept.copied}")
        times = [int(line) for line in output.split() if line.isdigit()]
        if len(times) == len(kept.copied.split()) and min(times) > since:
            return
        if time.monotonic() >= deadline:
            raise BackupError(
                f"{member.container.name} has not written {kept.copied} for {seconds:g} s, but "
                f"should every {kept.written_every:g} s. fix: `pulumi up` sets that interval."
            )
        time.sleep(POLL_SECONDS)
