"""Root file system as one tar archive, merged from Debian packages without unpacking them."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ops.offline.images.errors import LocalImagesError
from ops.offline.images.recipes import ENTRYPOINTS, Recipe

MERGED_INTO_USR = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
AUTHORITIES = re.compile(r"usr/share/ca-certificates/.*\.crt$")
LEFT_OUT_FILES = re.compile(
    r"usr/share/(man|info|locale|lintian|bash-completion|doc-base)(/|$)"
    r"|usr/share/doc/(?!.*/copyright$).*"
    r"|usr/include(/|$)"
    r"|usr/lib/[^/]+/gconv(/|$)"
    # 220 MB that the web pages of Prometheus do not load: they bring their own build of it.
    r"|usr/share/javascript/moment-timezone/data(/|$)"
    r"|(usr/)?lib/systemd(/|$)"
    r"|etc/(cron\.|init\.d|logrotate\.d)"
    # PostgreSQL runs without its JIT compiler when the library that loads LLVM is absent.
    r"|usr/lib/postgresql/\d+/lib/(bitcode(/|$)|llvmjit\.so$)"
)


class RootFilesystem:
    """Writes the archive of one image; a context manager that completes it on exit."""

    def __init__(self, archive: Path, recipe: Recipe) -> None:
        self._recipe = recipe
        self._out = tarfile.open(archive, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        self._seen: set[str] = set()
        self._authorities: dict[str, bytes] = {}
        for name in MERGED_INTO_USR:
            self._link(name, f"usr/{name}")
        self._link("var/run", "/run")
        for name in ("dev", "proc", "sys", "run", "root"):
            self._directory(name)
        for name in ("tmp", "var/tmp"):
            self._directory(name, mode=0o1777)
        for directory in recipe.directories:
            self._directory(directory.path, directory.mode, recipe.uid)

    def __enter__(self) -> RootFilesystem:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()

    def add_package(self, path: Path) -> None:
        """Add a package's files; its maintainer scripts are not run."""
        command = ["dpkg-deb", "--fsys-tarfile", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as unpack:
            assert unpack.stdout is not None
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as source:
                for member in source:
                    self._copy(member, source)
            unpack.stdout.read()  # the padding: dpkg-deb fails when it cannot write it
        if unpack.returncode != 0:
            raise LocalImagesError(f"dpkg-deb cannot read {path.name}")

    def add_tree(self, source: Path, target: str) -> None:
        """Add the files under ``source`` as root's, at ``target`` in the image."""
        for path in sorted(source.rglob("*")):
            name = f"{target.strip('/')}/{path.relative_to(source)}"
            member = self._out.gettarinfo(path, name)
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            self._add(member, path.open("rb") if member.isfile() else None)

    def finish(self) -> None:
        """Add what no package brings: the user, the shell's commands, the recipe's own paths."""
        recipe = self._recipe
        self._file("etc/ssl/certs/ca-certificates.crt", b"".join(self._authorities.values()))
        self._link("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt")
        users = {"root": 0, "nobody": 65534, recipe.user: recipe.uid}
        self._file("etc/passwd", "".join(f"{n}:x:{i}:{i}::/:/bin/sh\n" for n, i in users.items()))
        self._file("etc/group", "".join(f"{n}:x:{i}:\n" for n, i in users.items()))
        for command in recipe.tools.commands:
            self._link(f"usr/bin/{command}", "busybox")
        for path, target in recipe.links.items():
            self._link(path, target)
        for path, name in recipe.files.items():
            self._file(path, (ENTRYPOINTS / name).read_bytes(), mode=0o755)

    def _copy(self, member: tarfile.TarInfo, source: tarfile.TarFile) -> None:
        name = _merged(member.name)
        if not name or LEFT_OUT_FILES.match(name):
            return
        if AUTHORITIES.match(name):
            content = source.extractfile(member)
            self._authorities[name] = content.read() if content else b""
            return
        member.name = name
        member.mode &= 0o1777
        if member.islnk():
            member.linkname = _merged(member.linkname)
        self._add(member, source.extractfile(member) if member.isfile() else None)

    def _directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        member = _member(path, tarfile.DIRTYPE, mode)
        member.uid = member.gid = owner
        self._add(member)

    def _file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        member = _member(path, tarfile.REGTYPE, mode)
        member.size = len(data)
        self._add(member, io.BytesIO(data))

    def _link(self, path: str, target: str) -> None:
        member = _member(path, tarfile.SYMTYPE, 0o777)
        member.linkname = target
        self._add(member)

    def _add(self, member: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        # Docker refuses an archive that names a path twice: the first one stays.
        if member.name not in self._seen:
            self._seen.add(member.name)
            self._out.addfile(member, content)
        if content:
            content.close()


def write(archive: Path, recipe: Recipe, packages: Iterable[Path], trees: dict[Path, str]) -> None:
    """Write the root file system of ``recipe`` to ``archive``."""
    with RootFilesystem(archive, recipe) as root:
        for package in packages:
            root.add_package(package)
        for source, target in trees.items():
            root.add_tree(source, target)
        root.finish()


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.strip("/"))
    member.type, member.mode, member.mtime = kind, mode, int(time.time())
    return member


def _merged(name: str) -> str:
    """Return the name under Debian's merged ``/usr``: ``usr/bin/sh`` for ``./bin/sh``."""
    path = name.removeprefix("./").strip("/")
    top = path.split("/", 1)[0]
    if path in MERGED_INTO_USR:
        return f"usr/{path}"
    return f"usr/{path}" if top in MERGED_INTO_USR else path
