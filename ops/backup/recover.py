"""What a killed backup or restore left, put right before anything new begins."""

from __future__ import annotations

from collections.abc import Sequence

from ops.backup import snapshot
from ops.backup.lock import Hand
from ops.backup.progress import Teller
from ops.backup.stack import Member
from ops.backup.staging import DONE, Aside


def mend(members: Sequence[Member], hand: Hand, teller: Teller) -> None:
    """Each service by itself: one that is well with its new data keeps it, whatever has become of
    the others. It may have run on it for weeks.
    """
    for member in members:
        snapshot.remove(member, hand)
        aside = Aside(member, hand)
        phase = aside.phase
        if phase is None:
            continue
        moved_in = phase == DONE or (phase == "in" and member.healthy)
        if moved_in:
            aside.forget_old()
            teller.say(f"{member.service}: an interrupted restore was completed")
        else:
            if phase:
                member.container.stop()
            aside.back()
            member.container.start()
            teller.say(f"{member.service}: an interrupted restore was undone")
