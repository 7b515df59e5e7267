"""Archives of backups: what is written is what is read, and nothing else is taken for one."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.backup import members
from ops.backup.errors import BackupError
from ops.backup.manifest import MANIFEST_BYTES
from ops.backup.reader import ArchiveReader
from ops.backup.writer import ArchiveWriter
from tests import backup_archives as archives
from tests.backup_archives import FILES, UID, entry, tar_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vitalstream-prod-20260203T040506Z.tar"


def read(path: Path) -> dict[str, bytes]:
    stream = members.Stream(ArchiveReader(path).files("alertmanager", UID))
    with members.source(stream) as archive:
        return {member.name: members.content(archive, member).read() for member in archive}


def refusal(path: Path) -> str:
    """Return the error message of a refused archive."""
    with pytest.raises(BackupError) as refused:
        ArchiveReader(path).verify(lambda _size: None)
    return str(refused.value)


def test_archive_written_is_read_back(path: Path) -> None:
    archives.good(path)
    ArchiveReader(path).verify(lambda _size: None)
    assert read(path) == FILES


def test_verify_progress_counts_every_byte(path: Path) -> None:
    sizes: list[int] = []
    reader = ArchiveReader(archives.good(path))
    reader.verify(sizes.append)
    assert sum(sizes) == reader.manifest.services["alertmanager"].size


def test_restored_files_have_their_mode_and_the_services_user(path: Path) -> None:
    archives.good(path)
    with members.source(members.Stream(ArchiveReader(path).files("alertmanager", UID))) as found:
        assert {(member.mode, member.uid, member.gid) for member in found} == {(0o640, UID, UID)}


def test_restored_archive_keeps_an_empty_folder(path: Path) -> None:
    folder = tar_of((entry("plugins", type=tarfile.DIRTYPE, mode=0o755), b""))
    stream = members.Stream(
        ArchiveReader(archives.with_content(path, folder, 0, 0)).files("alertmanager", UID)
    )
    with members.source(stream) as found:
        assert [(member.name, member.isdir(), member.mode) for member in found] == [
            ("plugins", True, 0o755)
        ]


def test_archive_is_readable_only_by_its_owner(path: Path) -> None:
    before = os.umask(0)
    try:
        archives.good(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_archive_is_readable_by_tar(path: Path) -> None:
    archives.good(path)
    with tarfile.open(path) as outer:
        assert outer.getnames() == ["manifest.json", "alertmanager.tar.gz"]
        manifest = json.load(outer.extractfile("manifest.json") or io.BytesIO())
        part = outer.extractfile("alertmanager.tar.gz")
        with tarfile.open(fileobj=part, mode="r:gz") as inner:
            assert inner.getnames() == list(FILES)
    assert manifest["stack"] == "prod"


def fail_half_way(path: Path) -> None:
    with ArchiveWriter(path) as archive, archive.part("alertmanager", UID) as part:
        part.add(entry("silences", 3), io.BytesIO(b"abc"))
        raise OSError("the disk is full")


def test_writer_failure_leaves_no_file(path: Path) -> None:
    with pytest.raises(OSError, match="the disk is full"):
        fail_half_way(path)
    assert list(path.parent.iterdir()) == []


def test_archive_appears_only_when_complete(path: Path) -> None:
    with ArchiveWriter(path) as archive:
        with archive.part("alertmanager", UID) as part:
            part.add(entry("silences", 3), io.BytesIO(b"abc"))
        assert not path.exists()


def test_archive_existing_is_not_overwritten(path: Path) -> None:
    archives.good(path)
    with pytest.raises(BackupError, match=r"exists\. fix:"):
        ArchiveWriter(path)


def cut(keep: Callable[[int], int]) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, keep(path.stat().st_size))


def flip(offset: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[offset] ^= 0xFF
        path.write_bytes(content)

    return change


def replace(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new.ljust(len(old)), 1))

    return change


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "a text": (lambda path: path.write_text("not an archive\n" * 99), "is damaged"),
    "cut in the first header": (cut(lambda _size: 100), "is damaged"),
    "cut in the manifest": (cut(lambda _size: 600), "its manifest cannot be read"),
    "cut before the first part": (cut(lambda _size: 512 + MANIFEST_BYTES), "is missing in it"),
    "cut in a part": (cut(lambda size: size - 1200), "is damaged"),
    "cut by a byte": (cut(lambda _size: 512 + MANIFEST_BYTES + 512 + 7), "is damaged"),
    "a flipped byte in a part": (flip(512 + MANIFEST_BYTES + 512 + 60), "the checksum of"),
    "a flipped byte in the manifest": (flip(512), "its manifest cannot be read"),
    "a flipped byte in a header": (flip(512 + MANIFEST_BYTES + 130), "is missing in it"),
    "another size": (replace(b'"content_files": 2', b'"content_files": 3'), "the content of"),
    "an unknown format": (
        replace(b'"format": 1', b'"format": 2'),
        "its format is 2, and this program",
    ),
    "no format": (replace(b'"format": 1,', b""), "its manifest cannot be read"),
    "no stack": (replace(b'"stack": "prod",', b""), "its manifest is invalid at stack"),
    "an unknown field": (
        replace(b'"stack"', b'"stuck"'),
        "its manifest is invalid at stack, stuck",
    ),
    "no checksum": (
        replace(b'"sha256"', b'"sha1"'),
        "its manifest is invalid at services.alertmanager.sha256",
    ),
    "a wrong time": (replace(b"2026-02-03T", b"yesterday"), "its manifest is invalid at taken_at"),
    "a name that leads out": (
        replace(b'"alertmanager.tar.gz"', b'"../ertmanager.tar.gz"'),
        "its manifest is invalid at services.alertmanager.file",
    ),
    "another name in the manifest": (
        replace(b'"alertmanager.tar.gz"', b'"alertmonitor.tar.gz"'),
        "alertmonitor.tar.gz is missing in it",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused(damage: str, path: Path) -> None:
    spoil, words = DAMAGES[damage]
    spoil(archives.good(path))
    said = refusal(path)
    assert words in said
    assert said.startswith(str(path))
    assert said.endswith("Nothing was touched.")


def test_missing_archive_is_reported_by_name(path: Path) -> None:
    assert f"{path} cannot be read: No such file" in refusal(path)


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
HOSTILE: dict[str, tuple[tarfile.TarInfo, str]] = {
    "a symbolic link": (entry("silences", **LINK), "'silences' in it is a symbolic link"),
    "a hard link": (
        entry("silences", type=tarfile.LNKTYPE, linkname="nflog"),
        "'silences' in it is a hard link",
    ),
    "a character device": (entry("null", type=tarfile.CHRTYPE), "'null' in it is a device"),
    "a block device": (entry("sda", type=tarfile.BLKTYPE), "'sda' in it is a device"),
    "a pipe": (entry("p", type=tarfile.FIFOTYPE), "'p' in it is a pipe"),
    "a contiguous file": (entry("c", type=tarfile.CONTTYPE), "neither a file nor a folder"),
    "an absolute path": (entry("/etc/passwd"), "'/etc/passwd' in it leads out of its folder"),
    "a path upwards": (entry("wal/../../x"), "'wal/../../x' in it leads out of its folder"),
    "a folder upwards": (entry("..", type=tarfile.DIRTYPE), "'..' in it leads out"),
    "a name of the restore's own": (
        entry(".vitalstream-restore/phase"),
        "has a name that is reserved for restoring",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archive_entry_outside_the_volume_is_refused(kind: str, path: Path) -> None:
    """Use valid checksums: a forged archive."""
    member, words = HOSTILE[kind]
    assert words in refusal(archives.with_content(path, tar_of((member, b"")), 0, 1))


def test_archive_duplicate_file_is_refused(path: Path) -> None:
    twice = tar_of((entry("nflog", 1), b"a"), (entry("nflog", 1), b"b"))
    assert "'nflog' is twice" in refusal(archives.with_content(path, twice, 2, 2))


def test_archive_larger_than_its_manifest_is_refused(path: Path) -> None:
    much = tar_of((entry("nflog", 10**7), bytes(10**7)))
    assert "differs from the manifest" in refusal(archives.with_content(path, much, 100, 1))


def test_archive_uncompressed_part_is_refused(path: Path) -> None:
    plain = tar_of((entry("nflog", 1), b"a"))
    part = archives.part_of(plain, 1, 1)
    assert "is damaged (Not a gzipped file" in refusal(archives.crafted(path, plain, part))


def test_archive_part_that_is_not_tar_is_refused(path: Path) -> None:
    noise = gzip.compress(b"noise" * 1000)
    part = archives.part_of(noise, 1, 1)
    assert "is damaged" in refusal(archives.crafted(path, noise, part))


def test_archive_part_missing_in_manifest_is_refused(path: Path) -> None:
    archives.good(path)
    with tarfile.open(path, "a") as outer:
        outer.addfile(entry("grafana.tar.gz", 1), io.BytesIO(b"a"))
    assert "'grafana.tar.gz' is in it, but not in its manifest" in refusal(path)


def test_archive_duplicate_part_is_refused(path: Path) -> None:
    archives.good(path)
    with tarfile.open(path, "a") as outer:
        outer.addfile(entry("alertmanager.tar.gz", 1), io.BytesIO(b"a"))
    assert "a name is twice in it" in refusal(path)
