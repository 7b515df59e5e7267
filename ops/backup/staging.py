"""New data staged beside the old data in the same volume, swap and rollback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops.backup import lock
from ops.backup.lock import VolumeHelper
from ops.backup.stack import Member

STAGING_FOLDER = ".vitalstream-restore"
# The last of its phases; swap.sh has the others.
DONE = "done"


@dataclass(frozen=True)
class Staging:
    """Staged data of one service. Each step can be interrupted: `phase` says how to continue."""

    member: Member
    helper: VolumeHelper

    @property
    def root(self) -> str:
        return f"{lock.ROOT}/{self.member.service}"

    @property
    def phase(self) -> str | None:
        """None without staged data; empty before anything was moved."""
        script = 'cd "$1"; if [ -d "$2" ]; then echo "at $(cat "$2/phase" 2>/dev/null)"; fi'
        found = self.helper.run(script, self.root, STAGING_FOLDER)
        return found.removeprefix("at").strip() if found else None

    def receive(self, archive: Iterable[bytes]) -> None:
        self.helper.run('cd "$1" && rm -rf "$2" && mkdir -p "$2/new"', self.root, STAGING_FOLDER)
        self.helper.write(f"{self.root}/{STAGING_FOLDER}/new", archive)

    def swap(self) -> None:
        """Swap old and new data. The service must be stopped."""
        self.helper.script("swap.sh", self.root, STAGING_FOLDER)

    def back(self) -> None:
        """Move the old data back. The service must be stopped if anything was moved."""
        self.helper.script("back.sh", self.root, STAGING_FOLDER)

    def forget_old(self) -> None:
        # Flush the new data to disk before the old data is removed.
        script = 'cd "$1"; sync || busybox sync; echo "$3" >"$2/phase" && rm -rf "$2"'
        self.helper.run(script, self.root, STAGING_FOLDER, DONE)
