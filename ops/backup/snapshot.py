"""A service's files as they are at one moment, while it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ops.backup import lock
from ops.backup.errors import BackupError
from ops.backup.lock import Hand
from ops.backup.stack import Member

STAGE = ".vitalstream-backup"
# Longer, and the service goes on without having been kept: a scrape is at most 2 minutes away, and
# usually 15 s.
LONGEST_SECONDS = 10
# What is copied and not linked: the newest file of a log (128 MB) and a database.
MOST_COPIED_BYTES = 512 * 2**20
SPARE_SECONDS = 10
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Still:
    """`folder` has the files, for the hand; `seconds` is how long the service stood still."""

    folder: str
    seconds: float


def size(member: Member) -> int:
    """Bytes of what is kept of a service, about: it changes while it is counted."""
    kept = member.kept
    script = 'cd "$1" && find $2 -type f -exec stat -c %s {} + 2>/dev/null'
    _, output = member.run(script, kept.data_dir, f"{kept.copied} {kept.linked} {kept.logs}")
    return sum(int(line) for line in output.split() if line.isdigit())


def clock(member: Member) -> int:
    """Seconds since 1970 where the service runs."""
    return int(member.run("date +%s")[1])


@contextlib.contextmanager
def still(member: Member, hand: Hand, since: int) -> Iterator[Still]:
    """The files as of a moment after `since`, by the service's clock.

    The service has gone on when this returns. Raises BackupError.
    """
    kept = member.kept
    if kept.written_every:
        _wait_until_written(member, since)
    script = (lock.SCRIPTS / "still.sh").read_text()
    arguments = (kept.data_dir, STAGE, str(LONGEST_SECONDS), kept.copied, kept.linked, kept.logs)
    folder = f"{lock.ROOT}/{member.service}/{STAGE}"
    try:
        status, words = member.run(script, *arguments)
        if status != 0:
            raise BackupError(
                f"{member.container.name} could not be kept: {words or f'status {status}'}. It "
                "runs on; docs/operations/backup.md has the way by hand."
            )
        began, ended = words.splitlines()[-1].split()
        yield Still(folder, float(ended) - float(began))
    finally:
        remove(member, hand)


def remove(member: Member, hand: Hand) -> None:
    hand.run('rm -rf "$1"', f"{lock.ROOT}/{member.service}/{STAGE}")


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
                f"{member.container.name} has not written down {kept.copied} for {seconds:g} s, "
                f"and should every {kept.written_every:g} s: `pulumi up` tells it so."
            )
        time.sleep(POLL_SECONDS)
