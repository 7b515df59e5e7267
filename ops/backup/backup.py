"""`ops backup`: one archive of all that is kept of a stack."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker
import docker.errors

from components.docker.container import container_name
from components.exporters.node import TEXTFILE
from ops.backup import (
    backup_metric,
    database,
    lock,
    members,
    retention,
    snapshot,
    stack,
)
from ops.backup.backup_metric import Mark
from ops.backup.errors import BackupError
from ops.backup.lock import Hand
from ops.backup.manifest import Manifest, Part
from ops.backup.progress import Advance, Teller, human
from ops.backup.recover import mend
from ops.backup.stack import Member
from ops.backup.writer import ArchiveWriter, PartWriter

# A service that somebody is just replacing may get well yet.
HEALTHY_SECONDS = 60
FOLDER_MODE = 0o700
SPARE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Backup:
    client: docker.DockerClient
    stack: str
    members: Sequence[Member]
    hand: Hand
    teller: Teller
    since: Mapping[str, int]

    def run(self, path: Path) -> int:
        """Writes the archive. Returns its size."""
        sizes = {member.service: snapshot.size(member) for member in self.members}
        self._refuse_without_room(path.parent, sizes)
        with ArchiveWriter(path) as archive:
            parts = {
                member.service: self._part(archive, member, sizes[member.service])
                for member in self.members
            }
            taken_at = datetime.now(UTC).replace(microsecond=0)
            return archive.finish(Manifest(stack=self.stack, taken_at=taken_at, services=parts))

    def _refuse_without_room(self, folder: Path, sizes: Mapping[str, int]) -> None:
        # As if nothing could be compressed.
        wanted, free = sum(sizes.values()) + SPARE_BYTES, shutil.disk_usage(folder).free
        if wanted > free:
            raise BackupError(
                f"The archive may need {human(wanted)}, and {folder} has {human(free)} left: name "
                "another folder with --to, or keep fewer archives with --keep."
            )
        for service, size in sizes.items():
            wanted = min(size, snapshot.MOST_COPIED_BYTES) + SPARE_BYTES
            free = self.hand.free_bytes(f"{lock.ROOT}/{service}")
            if wanted > free:
                raise BackupError(
                    f"The Docker host has {human(free)} left where {service}'s volume is, and "
                    f"what changes while it is kept may need {human(wanted)}: make room there."
                )

    def _part(self, archive: ArchiveWriter, member: Member, size: int) -> Part:
        service = member.service
        with (
            snapshot.still(member, self.hand, self.since[member.service]) as kept,
            archive.part(service, member.kept.uid) as part,
            self.teller.transfer(service, size) as advance,
        ):
            self._pack(member, kept.folder, part, archive.path.parent, advance)
        self.teller.say(
            f"{service}: {human(part.content_bytes)} in {part.content_files} files, "
            f"{human(part.size)} compressed; stood still for {kept.seconds:.2f} s"
        )
        return Part(
            file=part.file,
            size=part.size,
            sha256=part.sha256,
            content_bytes=part.content_bytes,
            content_files=part.content_files,
            version=stack.version(self.client, member),
            image=stack.image(self.client, member),
            held_seconds=round(kept.seconds, 2),
        )

    def _pack(
        self, member: Member, folder: str, part: PartWriter, beside: Path, advance: Advance
    ) -> None:
        with (
            members.source(members.Stream(self.hand.read(folder))) as source,
            tempfile.TemporaryDirectory(prefix=".vitalstream-", dir=beside) as scratch,
        ):
            for found in members.below(source, snapshot.STAGE):
                content = members.content(source, found) if found.isfile() else None
                if content and member.service == "grafana" and database.belongs(found):
                    database.receive(found, content, Path(scratch))
                else:
                    part.add(found, content)
                advance(found.size)
            if member.service == "grafana":
                database.add(Path(scratch), part)


def backup(
    client: docker.DockerClient, name: str, to: Path, keep: int | None, teller: Teller
) -> Path:
    """Keeps the stack `name` in a new archive in the folder `to`, and returns its path.

    Of the stack's archives there only the newest `keep` stay. Raises BackupError; then there is no
    new archive, and no old one less.
    """
    began = time.monotonic()
    found = stack.members(client, name)
    volumes = {member.service: member.volume for member in found}
    if database := stack.shared_database(client, name):
        teller.say(
            f"grafana: its users and dashboards are in the PostgreSQL at {database}, and kept by "
            "that database's own backup"
        )
    watched = _has_volume(client, textfile := container_name(name, TEXTFILE))
    if watched:
        volumes[TEXTFILE] = textfile
    _make(to)
    path = to / retention.archive_name(name, datetime.now(UTC))
    with lock.turn(client, name, found[0].container.attrs["Image"], volumes) as hand:
        retention.remove_partial(to, name)
        mend(found, hand, teller)
        for member in found:
            member.wait(HEALTHY_SECONDS)
        since = {member.service: snapshot.clock(member) for member in found}
        size = _Backup(client, name, found, hand, teller, since).run(path)
        seconds = time.monotonic() - began
        if watched:
            backup_metric.leave(hand, Mark(name, time.time(), size, seconds))
    gone = retention.remove_old(to, name, keep) if keep else []
    teller.say(f"{path}: {human(size)} in {seconds:.1f} s")
    if gone:
        teller.say(f"removed: {', '.join(old.name for old in gone)}")
    if not watched:
        teller.say(
            f"Nobody watches its age: there is no volume {textfile}, which the next "
            f"`pulumi up --stack {name}` makes."
        )
    return path


def _has_volume(client: docker.DockerClient, name: str) -> bool:
    try:
        client.volumes.get(name)
    except docker.errors.NotFound:
        return False
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(f"{folder} cannot be made: {error.strerror}.") from None
