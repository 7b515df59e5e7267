"""Debian packages as apt resolves and verifies them, without installing anything on this machine.

apt works on a package status of our own, in which nothing is installed except what an image leaves
out, so that a request resolves to everything else that the image needs.
"""

from __future__ import annotations

import platform
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ops.offline.images.errors import LocalImagesError

SUPPORTED_RELEASE = "12"
UNAVAILABLE = 100  # apt-get's exit status for a package or a download that it cannot get


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    """Debian's version, epoch included: ``5:7.0.15-1~deb12u5``."""
    filename: str


def require_debian() -> None:
    """Raise LocalImagesError unless this machine is the Debian release the recipes are for."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if (release.get("ID"), release.get("VERSION_ID")) != ("debian", SUPPORTED_RELEASE):
        name = release.get("PRETTY_NAME", platform.system())
        raise LocalImagesError(
            f"local images are made from the packages of Debian {SUPPORTED_RELEASE}, "
            f"and this machine runs {name}"
        )


def architecture() -> str:
    """This machine's architecture in Debian's words, which Docker shares: ``amd64``, ``arm64``."""
    return _run(["dpkg", "--print-architecture"]).strip()


def upstream_version(version: str) -> str:
    """``5:2.42.0+ds-5+deb12u1`` is upstream's ``2.42.0``."""
    without_revision = version.split(":", 1)[-1].rsplit("-", 1)[0]
    return re.split(r"[+~]", without_revision)[0]


class Apt:
    """apt-get on a status and a cache in ``workdir``; the machine's sources, keys and proxies."""

    def __init__(self, workdir: Path, left_out: Iterable[str]) -> None:
        self._archives = workdir / "archives"
        self._lists = workdir / "lists"
        status = workdir / "status"
        for folder in (self._archives, self._lists):
            (folder / "partial").mkdir(parents=True)
        status.write_text("".join(_installed(name, architecture()) for name in left_out))
        self._options = [
            *("-o", f"Dir::State::status={status}"),
            *("-o", f"Dir::Cache={workdir}"),
            *("-o", f"Dir::Cache::archives={self._archives}"),
            *("-o", "APT::Install-Recommends=false"),
            *("-o", "APT::Sandbox::User=root"),
            *("-o", "Debug::NoLocking=true"),
        ]

    def refresh(self) -> None:
        """Fetch the package lists into ``workdir``; the machine's own are left as they are."""
        self._options += ["-o", f"Dir::State::Lists={self._lists}"]
        # A third party's source may be out of reach while Debian's own are not.
        with suppress(AptError):
            self._get("update")

    def resolve(self, packages: Sequence[str]) -> list[Package]:
        """The packages and all that they depend on, except what is left out."""
        lines = self._get("install", "--print-uris", *packages).splitlines()
        return [_package(line) for line in lines if line.startswith("'")]

    def download(self, packages: Sequence[str]) -> Path:
        """Download what ``resolve`` names; apt checks every file against the signed lists."""
        self._get("install", "--download-only", *packages)
        return self._archives

    def _get(self, *arguments: str) -> str:
        return _run(["apt-get", "-qq", "--yes", *self._options, *arguments])


def _installed(name: str, arch: str) -> str:
    return (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\n"
        "Multi-Arch: foreign\nVersion: 9999:0\nMaintainer: -\nDescription: left out\n\n"
    )


def _package(line: str) -> Package:
    """From a line of ``--print-uris``: ``'URI' name_version_arch.deb size hash``."""
    filename = shlex.split(line)[1]
    name, version, _ = filename.split("_")
    return Package(name, unquote(version), filename)


class AptError(LocalImagesError):
    """apt-get could not get what was asked for; fresh package lists may help."""


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LocalImagesError(f"{command[0]} is not on PATH") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        reason = (errors or done.stderr.splitlines() or ["no reason given"])[0]
        error = AptError if done.returncode == UNAVAILABLE else LocalImagesError
        raise error(f"{command[0]}: {reason.removeprefix('E: ')}")
    return done.stdout
