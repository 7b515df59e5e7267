"""Packages of a Debian suite, resolved and verified by apt in a root folder of its own.

The machine may run any release: its package lists and its status are neither read nor changed.
Used of its own apt are the mirror, the keyring and the settings of ``Acquire`` (proxies, say). In
the folder's status nothing is installed except what an image leaves out, so that a request resolves
to everything else that the image needs.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from ops.offline.images.errors import LocalImagesError

# By what the variable IMAGES says: the newest versions, and the oldest that are supported.
SUITES: Mapping[str, str] = MappingProxyType({"newest": "testing", "oldest": "trixie"})
CHOICE_VARIABLE = "IMAGES"
MIRROR_VARIABLE = "DEBIAN_MIRROR"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# As written in a machine's apt sources; a third party's source may use one of these names too.
OWN_SUITES = ("stable", "testing", "unstable", "sid")

CONFIGURATION = """\
Dir "{root}";
Dir::State::status "{root}/status";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Debug::NoLocking "true";
"""
FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    """Debian's version, epoch included: ``5:7.0.15-1~deb12u5``."""
    filename: str


def suite() -> str:
    """Return the suite of the packages, chosen by ``IMAGES``. Raises LocalImagesError."""
    choice = os.environ.get(CHOICE_VARIABLE) or "newest"
    if choice not in SUITES:
        raise LocalImagesError(
            f"{CHOICE_VARIABLE}={choice} is unknown. fix: unset it, or set it to "
            f"{' or '.join(SUITES)}"
        )
    return SUITES[choice]


def architecture() -> str:
    """Return this machine's architecture, named as Debian and Docker do: ``amd64``, ``arm64``."""
    return _run(["dpkg", "--print-architecture"]).strip()


def upstream_version(version: str) -> str:
    """``5:2.42.0+ds-5+deb12u1`` is upstream's ``2.42.0``."""
    without_revision = version.split(":", 1)[-1].rsplit("-", 1)[0]
    return re.split(r"[+~]", without_revision)[0]


def mirrors() -> list[str]:
    """Candidates for Debian's archive, of which apt verifies the right one by its signature.

    They are ``DEBIAN_MIRROR``, or what this machine's sources have Debian's own suites from. Raises
    LocalImagesError where there is none.
    """
    if chosen := os.environ.get(MIRROR_VARIABLE):
        return [chosen]
    listed = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = _run(["apt-get", "indextargets", "--format", listed, "Created-By: Packages"])
    machine = platform.freedesktop_os_release()
    codename = machine.get("VERSION_CODENAME") if machine.get("ID") == "debian" else None
    own = (*OWN_SUITES, codename)
    sources = [line.split() for line in lines.splitlines()]
    found = [uri for uri, release, part in sources if release in own and part == "main"]
    if not found or not KEYRING.is_file():
        raise LocalImagesError(
            f"local images are made from Debian's packages, and this machine has "
            f"{'no source of them' if KEYRING.is_file() else f'no {KEYRING}'}. fix: install "
            f"debian-archive-keyring, and set {MIRROR_VARIABLE} to the address of a Debian mirror"
        )
    return list(dict.fromkeys(found))


class Apt:
    """apt-get on one suite, in the folder ``root``, which need not exist."""

    def __init__(self, root: Path, suite: str, left_out: Iterable[str] = ()) -> None:
        self._root = root
        self._suite = suite
        self._left_out = tuple(left_out)
        self._architecture = architecture()
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True)
        acquire = [
            line
            for line in _run(["apt-config", "dump"]).splitlines()
            if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets")
        ]
        own = CONFIGURATION.format(root=root, architecture=self._architecture)
        (root / "apt.conf").write_text("\n".join((*acquire, own)))
        self._leave_out_all_but(())

    def refresh(self) -> None:
        """Fetch the suite's package lists and verify their signature. Raises LocalImagesError."""
        candidates = mirrors()
        for number, mirror in enumerate(candidates, start=1):
            source = f"deb [signed-by={KEYRING}] {mirror} {self._suite} main\n"
            (self._root / "etc/apt/sources.list").write_text(source)
            try:
                self._get("update", "--error-on=any")
            except LocalImagesError:
                if number == len(candidates):
                    raise
            else:
                return

    def resolve(self, packages: Sequence[str]) -> list[Package]:
        """Return the packages and their dependencies, less those of LEFT_OUT that are not named."""
        self._leave_out_all_but(packages)
        lines = self._get("install", "--print-uris", *packages).splitlines()
        return [_package(line) for line in lines if line.startswith("'")]

    def download(self, packages: Sequence[str]) -> Path:
        """Download what ``resolve`` names; apt checks every file against the signed lists."""
        self._leave_out_all_but(packages)
        self._get("install", "--download-only", *packages)
        return self._root / "var/cache/apt/archives"

    def download_alone(self, packages: Sequence[str]) -> list[Path]:
        """Download these packages without what they depend on; return the files."""
        self._get("download", *packages)
        return sorted(self._root.glob("*.deb"))

    def _leave_out_all_but(self, packages: Sequence[str]) -> None:
        installed = [name for name in self._left_out if name not in packages]
        text = "".join(_installed(name, self._architecture) for name in installed)
        status = self._root / "status"
        # A status that was written reads as a new one: apt then reads all lists again.
        if not status.exists() or status.read_text() != text:
            status.write_text(text)

    def _get(self, *arguments: str) -> str:
        return _run(["apt-get", "-qq", "--yes", *arguments], self._root)


def _installed(name: str, arch: str) -> str:
    return (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\n"
        "Multi-Arch: foreign\nVersion: 9999:0\nMaintainer: -\nDescription: left out\n\n"
    )


def _package(line: str) -> Package:
    """Parse a line of ``--print-uris``: ``'URI' name_version_arch.deb size hash``."""
    filename = shlex.split(line)[1]
    name, version, _ = filename.split("_")
    return Package(name, unquote(version), filename)


def _run(command: Sequence[str], root: Path | None = None) -> str:
    """Return a command's output, run in ``root`` with its apt configuration if one is given."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if root:
        # Read first: its `Dir` is where apt looks for the rest of its configuration.
        environment["APT_CONFIG"] = str(root / "apt.conf")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=root, env=environment
        )
    except FileNotFoundError:
        raise LocalImagesError(f"{command[0]} is not on PATH") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = (errors or done.stderr.splitlines() or ["no reason given"])[0]
        raise LocalImagesError(f"{command[0]}: {reason.removeprefix('E: ')}")
    return done.stdout
