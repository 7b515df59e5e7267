"""Packages of a suite, resolved and verified by the real apt from a small signed archive."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.offline.images import debian
from ops.offline.images.debian import Apt
from ops.offline.images.errors import LocalImagesError

PROGRAMS = ("apt-get", "dpkg-deb", "gpg", "gpgv")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on PATH: {', '.join(MISSING)}")

CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: a <a@example.org>
Depends: {depends}
Description: a
"""


class Archive:
    """A mirror with one suite, `testing`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.mirror = folder / "mirror"
        self.release = self.mirror / "dists/testing"
        self._keys = folder / "keys"
        self._keys.mkdir(mode=0o700, parents=True)
        self._index = ""
        key = ("--quick-generate-key", "a <a@example.org>", "rsa2048", "sign", "never")
        self._gpg("--passphrase", "", *key)

    def add(self, name: str, version: str, depends: str = "base") -> None:
        tree = self.mirror / name
        (tree / "DEBIAN").mkdir(parents=True)
        control = CONTROL.format(name=name, version=version, depends=depends)
        (tree / "DEBIAN/control").write_text(control)
        package = self.mirror / f"{name}.deb"
        _run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)])
        content = package.read_bytes()
        self._index += (
            f"{control}Filename: {package.name}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n"
        )

    def publish(self, keyring: Path) -> None:
        architecture = debian.architecture()
        path = f"main/binary-{architecture}/Packages"
        (self.release / path).parent.mkdir(parents=True)
        (self.release / path).write_text(self._index)
        digest = hashlib.sha256(self._index.encode()).hexdigest()
        (self.release / "Release").write_text(
            "Origin: Debian\nSuite: testing\nCodename: forky\nComponents: main\n"
            "Date: Sun, 01 Nov 2026 00:00:00 UTC\n"
            f"Architectures: all {architecture}\nSHA256:\n {digest} {len(self._index)} {path}\n"
        )
        self._gpg("--output", str(self.release / "InRelease"), "--clearsign", self._of("Release"))
        self._gpg("--output", str(keyring), "--export")
        _run(["gpgconf", "--homedir", str(self._keys), "--kill", "gpg-agent"])

    def _of(self, name: str) -> str:
        return str(self.release / name)

    def _gpg(self, *arguments: str) -> None:
        home = ("--homedir", str(self._keys), "--batch", "--yes", "--pinentry-mode", "loopback")
        _run(["gpg", *home, *arguments])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.add("base", "2-1", depends="perl")
    made.add("server", "5:7.0.15-1~deb12u5")
    made.publish(tmp_path / "keyring.gpg")
    monkeypatch.setattr(debian, "KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.setenv("DEBIAN_MIRROR", f"file:{made.mirror}")
    return made


@pytest.fixture
def apt(archive: Archive, tmp_path: Path) -> Apt:
    made = Apt(tmp_path / "apt", "testing", ["perl"])
    made.refresh()
    return made


def test_resolve_returns_dependencies_less_those_left_out(apt: Apt) -> None:
    found = {package.name: package.version for package in apt.resolve(["server"])}
    assert found == {"base": "2-1", "server": "5:7.0.15-1~deb12u5"}


def test_resolve_unknown_package_is_reported_in_one_line(apt: Apt) -> None:
    with pytest.raises(LocalImagesError, match=r"^apt-get: Unable to locate package nothing$"):
        apt.resolve(["nothing"])


def test_resolve_named_package_of_those_left_out_is_returned(
    archive: Archive, tmp_path: Path
) -> None:
    apt = Apt(tmp_path / "apt", "testing", ["perl", "base"])
    apt.refresh()
    found = [[package.name for package in apt.resolve(names)] for names in (["server"], ["base"])]
    assert found == [["server"], ["base"]]


def test_download_named_packages_omits_dependencies(apt: Apt) -> None:
    assert [path.name.split("_")[0] for path in apt.download_alone(["server"])] == ["server"]


def test_refresh_signature_of_another_key_fails(archive: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path / "other")
    other.add("base", "2-1")
    other.publish(debian.KEYRING)
    with pytest.raises(LocalImagesError, match="not signed"):
        Apt(tmp_path / "apt", "testing").refresh()


def test_download_modified_package_fails(apt: Apt, archive: Archive) -> None:
    package = archive.mirror / "server.deb"
    package.write_bytes(bytes(package.stat().st_size))
    with pytest.raises(LocalImagesError, match=r"(?i)hash sum mismatch|unexpected size|corrupt"):
        apt.download(["server"])


def test_mirrors_without_debian_keyring_name_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(debian, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(LocalImagesError, match="fix: install debian-archive-keyring, and set DEB"):
        debian.mirrors()


def test_mirrors_on_another_distribution_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore another distribution's archive, whatever its name."""
    release = {"ID": "ubuntu", "VERSION_CODENAME": "noble"}
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    monkeypatch.setattr(debian, "_run", lambda _: "https://archive.example.org/ubuntu/ noble main")
    with pytest.raises(LocalImagesError, match=r"no source of them.*set DEBIAN_MIRROR"):
        debian.mirrors()
