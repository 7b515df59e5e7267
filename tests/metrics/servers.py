"""Servers of an ASGI application, each as a user starts it, in an environment of their own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

import httpx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
BACKEND = Path(__file__).parent / "backend"
PACKAGES = (
    "fastapi",
    "granian",
    "gunicorn",
    "hypercorn",
    "uvicorn",
    "uvicorn-worker",
    "websockets",
)
START_SECONDS = 60.0
WORKERS = 2

SERVERS: dict[str, tuple[str, ...]] = {
    "uvicorn": ("uvicorn", "app.main:app", "--workers=2", "--port={port}"),
    "gunicorn": (
        *("gunicorn", "app.main:app", "--workers=2", "--bind=127.0.0.1:{port}"),
        "--worker-class=uvicorn_worker.UvicornWorker",
    ),
    "hypercorn": ("hypercorn", "app.main:app", "--workers=2", "--bind=127.0.0.1:{port}"),
    "granian": (
        *("granian", "app.main:app", "--interface=asgi", "--workers=2", "--port={port}"),
        "--respawn-failed-workers",
    ),
}
SERVERS["gunicorn --preload"] = (*SERVERS["gunicorn"], "--preload")


def build_wheel(folder: Path) -> Path:
    """Build the wheel as `make wheel` does, from a copy of the sources' folder."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    command = [sys.executable, "-m", "pip", "wheel", *options, f"--wheel-dir={folder}"]
    subprocess.run([*command, str(ROOT / "metrics")], check=True)
    [wheel] = folder.glob("vitalstream_metrics-*.whl")
    return wheel


def install(folder: Path, wheel: Path) -> Path:
    """Make an empty environment with the servers and the wheel; return its `bin`."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    needed = folder / "requirements.txt"
    needed.write_text(locked(("prometheus-client", *PACKAGES)))
    subprocess.run([*pip, "--no-deps", "--require-hashes", f"--requirement={needed}"], check=True)
    # Without an index: it would fail if the wheel needed more than prometheus-client.
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)
    return folder / "bin"


def locked(packages: tuple[str, ...]) -> str:
    """The lines of the lock file for packages and what they need."""
    text = (ROOT / "requirements-dev.txt").read_text()
    blocks = {
        canonicalize_name(match[1]): match[0]
        for match in re.finditer(r"^([\w.-]+)(?:\[\w+\])?==(?:.*\\\n)*.*\n", text, re.MULTILINE)
    }
    found: dict[str, str] = {}
    todo = list(packages)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = blocks[name]
        for line in requires(name) or ():
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return "".join(found.values())


@dataclass
class Server:
    """A running server."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str, timeout: float = 10.0) -> httpx.Response:
        """Get a page over a connection of its own, so that any worker may answer."""
        return httpx.get(self.url + path, timeout=timeout)

    def pid(self) -> int:
        """The process id of a worker."""
        return int(self.get("/patients/1").text)

    def figures(self) -> dict[str, float]:
        """Return the values of a scrape, by name and labels as on the page."""
        return {
            sample.name
            + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
        }

    def wait(self, condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until a condition holds. Raises AssertionError with the server's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (httpx.TransportError, ValueError):
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds} s\n{self.log.read_text()[-3000:]}")


@contextmanager
def running(
    bin_folder: Path,
    command: tuple[str, ...],
    folder: Path,
    *,
    shared: Path | str | None = "metrics",
) -> Iterator[Server]:
    """Run a server; `shared` is its workers' folder, or None. Yields when all have started."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PROMETHEUS_", "PYTHON"))}
    if shared:
        (folder / shared).mkdir(exist_ok=True)
        env["PROMETHEUS_MULTIPROC_DIR"] = str(folder / shared)
    log = folder / "log"
    words = [word.format(port=port) for word in command]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(bin_folder / "python"), "-m", *words],
            cwd=BACKEND,
            env=env,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", log, process)
    try:
        server.wait(lambda: server.pid() > 0)
        if shared:
            server.wait(lambda: server.figures()["metrics_workers"] == WORKERS)
        yield server
    finally:
        # The group: a master that is gone may have left workers.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
