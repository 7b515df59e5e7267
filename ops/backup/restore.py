"""`ops restore`: a stack's data out of an archive, all of it or nothing."""

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
from ops.backup.lock import Hand
from ops.backup.manifest import Manifest
from ops.backup.progress import Teller, human
from ops.backup.reader import ArchiveReader
from ops.backup.recover import mend
from ops.backup.stack import Member, Version
from ops.backup.staging import Aside

SPARE_BYTES = 64 * 2**20

# Asked before anything is touched, with what is about to happen.
Confirm = Callable[[str], bool]


def restore(
    client: docker.DockerClient,
    path: Path,
    name: str,
    teller: Teller,
    confirm: Confirm,
    *,
    force_stack: bool = False,
    dry_run: bool = False,
) -> None:
    """Puts what the archive has in the place of the stack's data.

    Raises BackupError; then the stack has the data that it had, and runs on it.
    """
    with contextlib.closing(ArchiveReader(path)) as archive:
        manifest = archive.manifest
        if manifest.stack != name and not force_stack:
            raise BackupError(
                f"{path} is of the stack {manifest.stack}, not of {name}: add --force-stack to "
                "bring it there all the same. Nothing was touched."
            )
        found = _wanted(stack.members(client, name), manifest, name)
        with teller.transfer("checking", path.stat().st_size) as advance:
            archive.verify(advance)
        _refuse_newer(client, found, manifest)
        image = found[0].container.attrs["Image"]
        volumes = {member.service: member.volume for member in found}
        with lock.turn(client, name, image, volumes) as hand:
            if not dry_run:
                mend(found, hand, teller)
            _refuse_without_room(hand, found, manifest)
            if dry_run:
                teller.say(f"{path} can be restored to {name}. Nothing was touched.")
                return
            if not confirm(_question(name, manifest)):
                raise BackupError("Not confirmed. Nothing was touched.")
            _Restore(archive, [Aside(member, hand) for member in found], teller).run()
    for member in found:
        if member.service == "grafana":
            _reset_password(member, teller)


@dataclass(frozen=True)
class _Restore:
    archive: ArchiveReader
    asides: Sequence[Aside]
    teller: Teller

    def run(self) -> None:
        try:
            for aside in self.asides:
                self._receive(aside)
        except BaseException:
            with _undisturbed():
                for aside in self.asides:
                    aside.back()
            raise
        began = time.monotonic()
        try:
            self._swap()
        except BaseException as error:
            with _undisturbed():
                self._put_back(error)
            raise
        away = time.monotonic() - began
        for aside in self.asides:
            aside.forget_old()
        self.teller.say(f"restored; the services were away for {away:.1f} s")

    def _receive(self, aside: Aside) -> None:
        member = aside.member
        part = self.archive.manifest.services[member.service]
        with self.teller.transfer(member.service, part.content_bytes) as advance:

            def told() -> Iterator[bytes]:
                for chunk in self.archive.files(member.service, member.kept.uid):
                    yield chunk
                    advance(len(chunk))

            aside.receive(told())
        self.teller.say(f"{member.service}: {human(part.content_bytes)} are beside the old data")

    def _swap(self) -> None:
        containers = [aside.member.container for aside in self.asides]
        self.teller.say("stopping the services")
        for container in containers:
            container.stop()
        self.teller.say("swapping their data")
        for aside in self.asides:
            aside.swap()
        self.teller.say("starting them")
        for container in containers:
            container.start()
        for aside in self.asides:
            aside.member.wait()
            self.teller.say(f"{aside.member.service} is healthy")

    def _put_back(self, error: BaseException) -> None:
        why = f": {error}" if isinstance(error, BackupError) else ""
        self.teller.say(f"putting the old data back{why}")
        for aside in self.asides:
            aside.member.container.stop()
        for aside in self.asides:
            aside.back()
            aside.member.container.start()
        self.teller.say("the services run on the data that they had")


def _wanted(members: Sequence[Member], manifest: Manifest, name: str) -> list[Member]:
    """The members that the archive has something of. Raises BackupError for one that is missing."""
    services = {member.service for member in members}
    if missing := sorted(set(manifest.services) - services):
        raise BackupError(
            f"The archive has data of {' and '.join(missing)}, of which the stack {name} has no "
            f"container: `pulumi up --stack {name}` first. Nothing was touched."
        )
    return [member for member in members if member.service in manifest.services]


def _refuse_newer(
    client: docker.DockerClient, members: Sequence[Member], manifest: Manifest
) -> None:
    for member in members:
        kept, runs = manifest.services[member.service].version, stack.version(client, member)
        theirs, ours = Version.of(kept), Version.of(runs)
        # A build that does not say its version is left to the look at the service's health.
        if theirs and ours and theirs.major > ours.major:
            raise BackupError(
                f"The archive has data of {member.service} {kept}, and the stack runs {runs}, "
                "which need not understand it: bring the stack to that version first "
                "(docs/operations/upgrades.md). Nothing was touched."
            )


def _refuse_without_room(hand: Hand, members: Sequence[Member], manifest: Manifest) -> None:
    # The volumes may all be on one file system.
    wanted = manifest.content_bytes + SPARE_BYTES
    for member in members:
        free = hand.free_bytes(f"{lock.ROOT}/{member.service}")
        if wanted > free:
            raise BackupError(
                f"Old and new data are to be there side by side, which needs {human(wanted)}, and "
                f"the Docker host has {human(free)} left where {member.service}'s volume is: make "
                "room there. Nothing was touched."
            )


def _question(name: str, manifest: Manifest) -> str:
    services = ", ".join(
        f"{service} ({human(part.content_bytes)})" for service, part in manifest.services.items()
    )
    return (
        f"What the stack {name} has now is replaced by what {manifest.stack} had on "
        f"{manifest.taken_at:%Y-%m-%d at %H:%M:%S} UTC: {services}. Go on?"
    )


def _reset_password(member: Member, teller: Teller) -> None:
    """The administrator's is the one of the settings, not the one of the archive."""
    status, words = member.run(grafana.RESET_PASSWORD)
    if status != 0:
        teller.say(
            "Grafana's administrator has the password of the archive; setting that of the stack "
            f"failed:\n{words}"
        )


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No second Ctrl-C cuts short what mends the first."""
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
