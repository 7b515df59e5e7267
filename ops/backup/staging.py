"""A volume's new content beside the old one, in the same volume, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops.backup import lock
from ops.backup.lock import Hand
from ops.backup.stack import Member

ASIDE = ".vitalstream-restore"
# The last of its phases; swap.sh has the others.
DONE = "done"


@dataclass(frozen=True)
class Aside:
    """Every step can be cut short at any point: `phase` is what there is to go on from."""

    member: Member
    hand: Hand

    @property
    def root(self) -> str:
        return f"{lock.ROOT}/{self.member.service}"

    @property
    def phase(self) -> str | None:
        """None where nothing is aside; empty where nothing has been moved yet."""
        script = 'cd "$1"; if [ -d "$2" ]; then echo "at $(cat "$2/phase" 2>/dev/null)"; fi'
        found = self.hand.run(script, self.root, ASIDE)
        return found.removeprefix("at").strip() if found else None

    def receive(self, archive: Iterable[bytes]) -> None:
        self.hand.run('cd "$1" && rm -rf "$2" && mkdir -p "$2/new"', self.root, ASIDE)
        self.hand.write(f"{self.root}/{ASIDE}/new", archive)

    def swap(self) -> None:
        """Its service has to be stopped."""
        self.hand.script("swap.sh", self.root, ASIDE)

    def back(self) -> None:
        """Its service has to be stopped, if anything was moved."""
        self.hand.script("back.sh", self.root, ASIDE)

    def forget_old(self) -> None:
        # On the disk, before what it replaces goes.
        script = 'cd "$1"; sync || busybox sync; echo "$3" >"$2/phase" && rm -rf "$2"'
        self.hand.run(script, self.root, ASIDE, DONE)
