"""The root file system of a local image, made from one small package."""

from __future__ import annotations

import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from ops.offline.images import rootfs
from ops.offline.images.recipes import RECIPES

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="dpkg-deb is not on PATH: no package can be made"
)


@pytest.fixture
def image(tmp_path: Path) -> tarfile.TarFile:
    """Prometheus's root file system, made from one small package."""
    tree = tmp_path / "tree"
    files = {
        "DEBIAN/control": "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\n"
        "Description: a\n",
        "bin/tool": "old place",
        "usr/bin/prometheus": "binary",
        "usr/share/man/man1/a.1": "manual",
        "usr/share/doc/a/README": "documentation",
        "usr/share/doc/a/copyright": "licence",
        "usr/share/ca-certificates/mozilla/One.crt": "certificate one\n",
        "usr/share/ca-certificates/mozilla/Two.crt": "certificate two\n",
        "etc/prometheus/prometheus.yml": "scrape_configs: []\n",
    }
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    (tree / "bin/tool").chmod(0o4755)
    package = tmp_path / "a.deb"
    build_package = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)]
    subprocess.run(build_package, check=True, capture_output=True)
    rootfs.write(tmp_path / "a.tar", RECIPES["prometheus"], [package, package], {})
    return tarfile.open(tmp_path / "a.tar")


def content(image: tarfile.TarFile, name: str) -> str:
    file = image.extractfile(name)
    assert file is not None
    return file.read().decode()


def test_rootfs_paths_are_unique(image: tarfile.TarFile) -> None:
    names = image.getnames()
    assert len(names) == len(set(names))


def test_rootfs_bin_files_are_under_usr(image: tarfile.TarFile) -> None:
    assert (image.getmember("bin").linkname, content(image, "usr/bin/tool")) == (
        "usr/bin",
        "old place",
    )


def test_rootfs_has_no_setuid_program(image: tarfile.TarFile) -> None:
    assert not image.getmember("usr/bin/tool").mode & stat.S_ISUID


def test_rootfs_omits_manuals_and_keeps_licences(image: tarfile.TarFile) -> None:
    documents = [name for name in image.getnames() if name.startswith("usr/share/")]
    assert [name for name in documents if image.getmember(name).isfile()] == [
        "usr/share/doc/a/copyright"
    ]


def test_rootfs_ca_certificates_are_one_file(image: tarfile.TarFile) -> None:
    bundle = content(image, "etc/ssl/certs/ca-certificates.crt")
    assert bundle == "certificate one\ncertificate two\n"


@pytest.mark.parametrize("path", ["prometheus", "etc/prometheus"])
def test_rootfs_directories_belong_to_the_user(image: tarfile.TarFile, path: str) -> None:
    member = image.getmember(path)
    assert (member.isdir(), member.uid, member.gid) == (True, 65534, 65534)


@pytest.mark.parametrize("command", ["sh", "wget", "sleep", "touch"])
def test_rootfs_has_the_health_checks_commands(image: tarfile.TarFile, command: str) -> None:
    assert image.getmember(f"usr/bin/{command}").linkname == "busybox"


def test_rootfs_like_slim_image_has_shell_and_no_client() -> None:
    commands = RECIPES["postgres"].tools.commands
    assert ("sh" in commands, "wget" in commands) == (True, False)


@pytest.mark.parametrize("service", ["redis-exporter", "haproxy"])
def test_rootfs_like_alpine_image_uses_openssl_for_tls(service: str) -> None:
    assert "openssl" in RECIPES[service].all_packages
