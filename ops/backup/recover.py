"""Recovery from a killed backup or restore, before a new one begins."""

from __future__ import annotations

from collections.abc import Sequence

from ops.backup import snapshot
from ops.backup.lock import VolumeHelper
from ops.backup.progress import Progress
from ops.backup.stack import Member
from ops.backup.staging import DONE, Staging


def recover(members: Sequence[Member], helper: VolumeHelper, progress: Progress) -> None:
    """Complete or undo an interrupted restore, service by service.

    A healthy service keeps its new data: it may have run on it for weeks.
    """
    for member in members:
        snapshot.remove(member, helper)
        staging = Staging(member, helper)
        phase = staging.phase
        if phase is None:
            continue
        moved_in = phase == DONE or (phase == "in" and member.healthy)
        if moved_in:
            staging.forget_old()
            progress.log(f"{member.service}: an interrupted restore was completed")
        else:
            if phase:
                member.container.stop()
            staging.back()
            member.container.start()
            progress.log(f"{member.service}: an interrupted restore was undone")
