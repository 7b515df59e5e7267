"""`ops backup`: write one archive of a stack's data."""

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
from ops.backup import backup_metric, database, lock, members, retention, snapshot, stack
from ops.backup.backup_metric import BackupMetric
from ops.backup.errors import BackupError
from ops.backup.lock import VolumeHelper
from ops.backup.manifest import Manifest, Part
from ops.backup.progress import Advance, Progress, human
from ops.backup.recover import recover
from ops.backup.stack import Member
from ops.backup.writer import ArchiveWriter, PartWriter

# A service that is being replaced may become healthy in time.
HEALTHY_SECONDS = 60
FOLDER_MODE = 0o700


@dataclass(frozen=True)
class _Backup:
    client: docker.DockerClient
    stack: str
    members: Sequence[Member]
    helper: VolumeHelper
    progress: Progress
    since: Mapping[str, int]

    def run(self, path: Path) -> int:
        """Write the archive and return its size in bytes."""
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
        # Upper limit: nothing can be compressed.
        wanted, free = sum(sizes.values()) + lock.SPARE_BYTES, shutil.disk_usage(folder).free
        if wanted > free:
            raise BackupError(
                f"The archive may need {human(wanted)}, and {folder} has {human(free)} left. fix: "
                "name another folder with --to, or keep fewer archives with --keep"
            )
        for service, size in sizes.items():
            copied = min(size, snapshot.MOST_COPIED_BYTES)
            what = f"Copying the changing files of {service}"
            self.helper.require_room(service, copied, what, "fix: free space there")

    def _part(self, archive: ArchiveWriter, member: Member, size: int) -> Part:
        service = member.service
        with (
            snapshot.snapshot(member, self.helper, self.since[member.service]) as kept,
            archive.part(service, member.kept.uid) as part,
            self.progress.transfer(service, size) as advance,
        ):
            self._pack(member, kept.folder, part, archive.path.parent, advance)
        self.progress.log(
            f"{service}: {human(part.content_bytes)} in {part.content_files} files, "
            f"{human(part.size)} compressed; paused for {kept.seconds:.2f} s"
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
            members.source(members.Stream(self.helper.read(folder))) as source,
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
    client: docker.DockerClient, name: str, to: Path, keep: int | None, progress: Progress
) -> Path:
    """Back up the stack `name` into a new archive in the folder `to`, and return its path.

    Removes all but the newest `keep` of the stack's archives there. Raises BackupError; then no
    archive was written or removed.
    """
    began = time.monotonic()
    found = stack.members(client, name)
    volumes = {member.service: member.volume for member in found}
    if database := stack.shared_database(client, name):
        progress.log(
            f"grafana: its users and dashboards are in the PostgreSQL at {database}: back up that "
            "database by itself"
        )
    watched = _has_volume(client, textfile := container_name(name, TEXTFILE))
    if watched:
        volumes[TEXTFILE] = textfile
    _make(to)
    path = to / retention.archive_name(name, datetime.now(UTC))
    with lock.backup_lock(client, name, found[0].container.attrs["Image"], volumes) as helper:
        retention.remove_partial(to, name)
        recover(found, helper, progress)
        for member in found:
            member.wait(HEALTHY_SECONDS)
        since = {member.service: snapshot.clock(member) for member in found}
        size = _Backup(client, name, found, helper, progress, since).run(path)
        seconds = time.monotonic() - began
        if watched:
            backup_metric.leave(helper, BackupMetric(name, time.time(), size, seconds))
    gone = retention.remove_old(to, name, keep) if keep else []
    progress.log(f"{path}: {human(size)} in {seconds:.1f} s")
    if gone:
        progress.log(f"removed: {', '.join(old.name for old in gone)}")
    if not watched:
        progress.log(
            f"Backup age is not monitored: volume {textfile} is missing. fix: run "
            f"`pulumi up --stack {name}`"
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
        raise BackupError(f"{folder} cannot be created: {error.strerror}.") from None
