"""A Docker Engine in memory: volumes, scratch containers and one running service."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import docker.errors


@dataclass(frozen=True)
class Stored:
    text: str
    mode: int
    uid: int


@dataclass
class Running:
    """Container of a service. `answers` are its log lines after a signal, one per read."""

    name: str
    status: str = "running"
    health: str = "healthy"
    answers: list[str] = field(default_factory=list)
    answer: tuple[int, bytes] = (0, b"")
    log: str = ""
    calls: list[Any] = field(default_factory=list)

    def exec_run(self, command: list[str]) -> tuple[int, bytes]:
        self.calls.append(("exec", command))
        return self.answer

    def kill(self, signal: str) -> None:
        self.calls.append(("kill", signal))

    def restart(self, timeout: int) -> None:
        self.calls.append(("restart", timeout))

    def reload(self) -> None:
        """Refresh the container's state, as docker-py's method does."""

    def logs(self, tail: int, *, timestamps: bool = False) -> bytes:
        signalled = any(call[0] == "kill" for call in self.calls)
        if timestamps and signalled and self.answers:
            self.log += f"\n{self.answers.pop(0)}"
        lines = self.log.splitlines()
        if timestamps:
            lines = [f"2026-01-01T00:00:{n:02}.000000000Z {line}" for n, line in enumerate(lines)]
        return "\n".join(lines[-tail:]).encode()


@dataclass
class FakeDocker:
    """`verdict` is the checker: from the files it is given to its exit status and its words, of
    which a paragraph that begins with "Checking" goes to stdout, as promtool's does.
    """

    verdict: Callable[[dict[str, str]], tuple[int, str]] = lambda _files: (0, "")
    volumes_by_name: dict[str, dict[str, Stored]] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    images: set[str] | None = None
    scratch: list[Scratch] = field(default_factory=list)

    @property
    def containers(self) -> FakeDocker:
        return self

    @property
    def volumes(self) -> Volumes:
        return Volumes(self)

    def create(self, image: str, **options: Any) -> Scratch:
        if self.images is not None and image not in self.images:
            raise docker.errors.ImageNotFound(f"No such image: {image}")
        container = Scratch(self, options)
        self.scratch.append(container)
        return container

    def get(self, name: str) -> Running:
        if name not in self.running:
            raise docker.errors.NotFound(f"No such container: {name}")
        return self.running[name]

    def left(self) -> int:
        return sum(not container.removed for container in self.scratch)


@dataclass(frozen=True)
class Volumes:
    engine: FakeDocker

    def get(self, name: str) -> str:
        if name not in self.engine.volumes_by_name:
            raise docker.errors.NotFound(f"No such volume: {name}")
        return name


class Scratch:
    """Scratch container for files: those of the volume at `target`, or its own."""

    def __init__(self, engine: FakeDocker, options: dict[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self.removed = False
        self._result = (0, "")
        mounts = options.get("mounts") or []
        self._target = mounts[0]["Target"].strip("/") if mounts else ""
        self._files = engine.volumes_by_name.setdefault(mounts[0]["Source"], {}) if mounts else {}

    def put_archive(self, path: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    name = f"{path.strip('/')}/{member.name}".strip("/")
                    name = name.removeprefix(f"{self._target}/") if self._target else name
                    self._files[name] = Stored(content.read().decode(), member.mode, member.uid)

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        buffer = io.BytesIO()
        root = path.rstrip("/").rsplit("/", maxsplit=1)[-1]
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, stored in self._files.items():
                entry = tarfile.TarInfo(f"{root}/{name}")
                entry.size = len(stored.text.encode())
                archive.addfile(entry, io.BytesIO(stored.text.encode()))
        return iter([buffer.getvalue()]), {}

    def start(self) -> None:
        if self._options["entrypoint"] == ["rm"]:
            for path in self._options["command"]:
                self._files.pop(path.removeprefix(f"/{self._target}/"), None)
        else:
            texts = {f"/{name}": stored.text for name, stored in self._files.items()}
            self._result = self._engine.verdict(texts)

    def wait(self, timeout: int) -> dict[str, int]:
        return {"StatusCode": self._result[0]}

    def logs(self, *, stdout: bool = True, stderr: bool = True) -> bytes:
        parts = self._result[1].split("\n\n")
        shown = [part for part in parts if stdout if part.startswith("Checking")]
        shown += [part for part in parts if stderr if not part.startswith("Checking")]
        return "\n\n".join(shown).encode()

    def remove(self, *, force: bool, v: bool) -> None:
        self.removed = force and v
