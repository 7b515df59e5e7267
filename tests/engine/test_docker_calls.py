"""What an `up` that changes nothing asks of the Docker Engine, counted at its socket."""

from __future__ import annotations

import re
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engine.program import EngineStack

STACK = "engine-calls"
LIKE = "dev"
CONFIG = {"demo": False}
ENGINE = "/var/run/docker.sock"
REQUEST = re.compile(rb"^([A-Z]+) (?:/v[\d.]+)?(/[^ ?]*)\S* HTTP/1\.1\r$", re.MULTILINE)


class Recorder:
    """Socket that passes everything on to the Docker Engine and keeps each request line."""

    def __init__(self, path: Path) -> None:
        self.requests: list[tuple[str, str]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(ENGINE)
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(
                        target=self._pass_on,
                        args=(source, target, source is client),
                        daemon=True,
                    ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.requests += [
                        (method.decode(), path.decode()) for method, path in REQUEST.findall(data)
                    ]
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    # A socket's path has at most 107 bytes; pytest's own folders are longer.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "docker.sock"
        recorder = Recorder(path)
        CONFIG["dockerHost"] = f"unix://{path}"
        yield recorder
        recorder.close()


@pytest.fixture(scope="module")
def up(recorder: Recorder, engine: EngineStack) -> EngineStack:
    engine.up()
    return engine


def test_up_new_stack_is_seen_at_the_socket(up: EngineStack, recorder: Recorder) -> None:
    assert ("POST", "/containers/create") in recorder.requests


def test_up_unchanged_only_reads_a_few_lists(up: EngineStack, recorder: Recorder) -> None:
    recorder.requests.clear()
    assert up.up() == {}
    found = Counter(recorder.requests)
    assert {method for method, _ in found} <= {"GET", "HEAD"}
    # The program's and the providers' greetings, and what the preflight looks at: the containers
    # of the host, one by one, and its networks. Nothing is asked for again.
    paths = {re.sub("[0-9a-f]{64}", "ID", path) for _, path in found}
    assert paths <= {"/_ping", "/version", "/containers/json", "/containers/ID/json", "/networks"}
    assert {path for (_, path), count in found.items() if count > 1} <= {"/_ping"}
    assert found["GET", "/_ping"] <= 2
