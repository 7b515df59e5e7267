"""`ops restore`: replace a stack's data with an archive's, all of it or nothing."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from components.grafana import grafana
from ops.backup import lock, stack
from ops.backup.errors import BackupError
from ops.backup.manifest import Manifest
from ops.backup.progress import Progress, human
from ops.backup.reader import ArchiveReader
from ops.backup.recover import recover
from ops.backup.stack import Member, Version
from ops.backup.staging import Staging

# Called with the question before anything is changed.
Confirm = Callable[[str], bool]


def restore(
    client: docker.DockerClient,
    path: Path,
    name: str,
    progress: Progress,
    confirm: Confirm,
    *,
    force_stack: bool = False,
    dry_run: bool = False,
) -> None:
    """Replace the stack's data with the archive's.

    Raises BackupError; then the stack runs on its old data.
    """
    with contextlib.closing(ArchiveReader(path)) as archive:
        manifest = archive.manifest
        if manifest.stack != name and not force_stack:
            raise BackupError(
                f"{path} is of the stack {manifest.stack}, not of {name}. Nothing was touched. "
                "fix: use that stack's archive, or add --force-stack"
            )
        found = _wanted(stack.members(client, name), manifest, name)
        with progress.transfer("checking", path.stat().st_size) as advance:
            archive.verify(advance)
        _refuse_newer(client, found, manifest)
        image = found[0].container.attrs["Image"]
        volumes = {member.service: member.volume for member in found}
        with lock.backup_lock(client, name, image, volumes) as helper:
            if not dry_run:
                recover(found, helper, progress)
            for member in found:
                # Old and new data are side by side; the volumes may all be on one file system.
                helper.require_room(
                    member.service,
                    manifest.content_bytes,
                    "Keeping old and new data side by side",
                    "Nothing was touched. fix: free space there",
                )
            if dry_run:
                progress.log(f"{path} can be restored to {name}. Nothing was touched.")
                return
            if not confirm(_question(name, manifest)):
                raise BackupError("Not confirmed. Nothing was touched.")
            _Restore(archive, [Staging(member, helper) for member in found], progress).run()
    for member in found:
        if member.service == "grafana":
            _reset_password(member, progress)


@dataclass(frozen=True)
class _Restore:
    archive: ArchiveReader
    stagings: Sequence[Staging]
    progress: Progress

    def run(self) -> None:
        try:
            for staging in self.stagings:
                self._receive(staging)
        except BaseException:
            with _ignoring_signals():
                for staging in self.stagings:
                    staging.back()
            raise
        began = time.monotonic()
        try:
            self._swap()
        except BaseException as error:
            with _ignoring_signals():
                self._put_back(error)
            raise
        away = time.monotonic() - began
        for staging in self.stagings:
            staging.forget_old()
        self.progress.log(f"restored; the services were stopped for {away:.1f} s")

    def _receive(self, staging: Staging) -> None:
        member = staging.member
        part = self.archive.manifest.services[member.service]
        with self.progress.transfer(member.service, part.content_bytes) as advance:

            def with_progress() -> Iterator[bytes]:
                for chunk in self.archive.files(member.service, member.kept.uid):
                    yield chunk
                    advance(len(chunk))

            staging.receive(with_progress())
        self.progress.log(
            f"{member.service}: {human(part.content_bytes)} are staged beside the old data"
        )

    def _swap(self) -> None:
        containers = [staging.member.container for staging in self.stagings]
        self.progress.log("stopping the services")
        for container in containers:
            container.stop()
        self.progress.log("swapping their data")
        for staging in self.stagings:
            staging.swap()
        self.progress.log("starting them")
        for container in containers:
            container.start()
        for staging in self.stagings:
            staging.member.wait()
            self.progress.log(f"{staging.member.service} is healthy")

    def _put_back(self, error: BaseException) -> None:
        why = f": {error}" if isinstance(error, BackupError) else ""
        self.progress.log(f"putting the old data back{why}")
        for staging in self.stagings:
            staging.member.container.stop()
        for staging in self.stagings:
            staging.back()
            staging.member.container.start()
        self.progress.log("the services run on the data that they had")


def _wanted(members: Sequence[Member], manifest: Manifest, name: str) -> list[Member]:
    """Return the members with data in the archive. Raises BackupError if one is missing."""
    services = {member.service for member in members}
    if missing := sorted(set(manifest.services) - services):
        raise BackupError(
            f"The archive has data of {' and '.join(missing)}, of which the stack {name} has no "
            f"container. Nothing was touched. fix: `pulumi up --stack {name}`"
        )
    return [member for member in members if member.service in manifest.services]


def _refuse_newer(
    client: docker.DockerClient, members: Sequence[Member], manifest: Manifest
) -> None:
    for member in members:
        kept, runs = manifest.services[member.service].version, stack.version(client, member)
        theirs, ours = Version.of(kept), Version.of(runs)
        # Without a version, only the health check after the restore decides.
        if theirs and ours and theirs.major > ours.major:
            raise BackupError(
                f"The archive has data of {member.service} {kept}, and the stack runs {runs}, "
                "which may not read it. Nothing was touched. fix: upgrade the stack to that "
                "version first (docs/operations/upgrades.md)"
            )


def _question(name: str, manifest: Manifest) -> str:
    services = ", ".join(
        f"{service} ({human(part.content_bytes)})" for service, part in manifest.services.items()
    )
    return (
        f"What the stack {name} has now is replaced by what {manifest.stack} had on "
        f"{manifest.taken_at:%Y-%m-%d at %H:%M:%S} UTC: {services}. Go on?"
    )


def _reset_password(member: Member, progress: Progress) -> None:
    """Set the administrator's password of the settings instead of the archive's."""
    status, words = member.run(grafana.RESET_PASSWORD)
    if status != 0:
        progress.log(
            "Grafana's administrator has the password of the archive; setting that of the stack "
            f"failed:\n{words}"
        )


@contextlib.contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Ignore further signals during the rollback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
