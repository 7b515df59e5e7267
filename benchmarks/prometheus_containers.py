"""Prometheus and promtool of the stack's own image, on a folder of this machine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.types import Mount

from benchmarks.projects import BenchmarkError
from components.catalog.images import IMAGES
from components.catalog.services import SERVICES
from components.preflight.conflicts import STACK_LABEL
from components.prometheus.config import PORT
from components.prometheus.prometheus import DATA_DIR

FOLDER = "/bench"
READY_SECONDS = 120
POLL_SECONDS = 0.2
STOP_SECONDS = 60
TOOL_SECONDS = 1800
QUERY_SECONDS = 120
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)[{ ]")


@dataclass(frozen=True)
class Prometheus:
    """A server that answers at `url`."""

    url: str

    def get(self, path: str) -> str:
        """Raises BenchmarkError with what the server says."""
        return self._answer(urllib.request.Request(f"{self.url}{path}"))

    def ask(self, path: str, **parameters: Any) -> Any:
        """The data of the API's answer, asked by POST as Grafana does. Raises BenchmarkError."""
        body = urllib.parse.urlencode(parameters).encode()
        return json.loads(self._answer(urllib.request.Request(f"{self.url}{path}", body)))["data"]

    def total(self, name: str) -> float:
        """The sum of the server's own series of that name, as it shows them."""
        return self.totals().get(name, 0.0)

    def totals(self) -> dict[str, float]:
        """The sums of all its own series by their names, at one moment."""
        found: dict[str, float] = {}
        for line in self.get("/metrics").splitlines():
            if match := _SAMPLE.match(line):
                found[match[1]] = found.get(match[1], 0.0) + float(line.rpartition(" ")[2])
        return found

    def _answer(self, request: urllib.request.Request) -> str:
        try:
            with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")
            raise BenchmarkError(f"Prometheus refuses {request.full_url}: {words}") from None
        except OSError as error:
            raise BenchmarkError(
                f"Prometheus does not answer {request.full_url}: {error}"
            ) from None


@dataclass(frozen=True)
class Block:
    """What Prometheus says of a block, and the bytes of its files."""

    samples: int
    series: int
    chunks: int
    chunk_bytes: int
    index_bytes: int


@dataclass(frozen=True)
class PrometheusContainers:
    """Makes containers of `image` for `stack`, on `folder`, which they see as FOLDER."""

    client: docker.DockerClient
    image: str
    folder: Path
    stack: str

    def promtool(self, *arguments: str) -> None:
        """Raises BenchmarkError with what promtool says."""
        container = self._create(None, arguments, entrypoint=["promtool"], network_mode="none")
        try:
            container.start()
            status = container.wait(timeout=TOOL_SECONDS)["StatusCode"]
            said = container.logs().decode(errors="replace").strip()
        finally:
            container.remove(force=True, v=True)
        if status != 0:
            raise BenchmarkError(f"`promtool {' '.join(arguments[:3])}` failed:\n{said[-2000:]}")

    @contextlib.contextmanager
    def server(self, *flags: str, limited: bool = False) -> Iterator[Prometheus]:
        """A server on the data in FOLDER/data; `limited` as the stack's own is."""
        limit = SERVICES["prometheus"].limit
        limits = {"mem_limit": limit.memory, "nano_cpus": int(limit.cpus * 1e9)}
        with self._running(f"{FOLDER}/data", flags, None, limits if limited else {}) as container:
            yield self._ready(container)

    @contextlib.contextmanager
    def configured(
        self, config: str, *flags: str, **options: Any
    ) -> Iterator[tuple[Prometheus, Container]]:
        """A server with a `prometheus.yml` of that text on the data in FOLDER/data.

        `options` are Docker's for a container, such as its network.
        """
        data = f"{FOLDER}/data"
        with self._running(data, flags, None, options, config) as container:
            yield self._ready(container), container

    def block_of(self, volume: str) -> Block:
        """All that a stopped Prometheus has in its volume, as a block that Prometheus writes.

        It has to be so young that it has no block of its own yet.
        """
        with self._running(DATA_DIR, ["--web.enable-admin-api"], volume, {}) as container:
            name = self._ready(container).ask("/api/v1/admin/tsdb/snapshot")["name"]
            stream, _ = container.get_archive(f"{DATA_DIR}/snapshots/{name}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                return _archived(archive)

    def snapshot(self, prometheus: Prometheus) -> Block:
        """All that a `configured` server has in its head, as a block that Prometheus writes.

        It needs `--web.enable-admin-api`, and must be too young to have a block of its own yet.
        """
        name = prometheus.ask("/api/v1/admin/tsdb/snapshot")["name"]
        taken = self.folder / "data" / "snapshots" / name
        files = [path for path in taken.rglob("*") if path.is_file()]
        (meta,) = (path for path in files if path.name == "meta.json")
        return _block({str(path): path.stat().st_size for path in files}, meta.read_text())

    @contextlib.contextmanager
    def _running(
        self,
        data: str,
        flags: Sequence[str],
        volume: str | None,
        options: Mapping[str, Any],
        config: str = "global: {}\n",
    ) -> Iterator[Container]:
        (self.folder / "prometheus.yml").write_text(config)
        container = self._create(
            volume,
            [f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={data}", *flags],
            ports={f"{PORT}/tcp": ("127.0.0.1", None)},
            **options,
        )
        try:
            container.start()
            yield container
        finally:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True, v=True)

    def _create(self, volume: str | None, command: Sequence[str], **options: Any) -> Container:
        """A volume belongs to Prometheus' own user, the folder to this one."""
        uid = IMAGES["prometheus"].uid if volume else os.geteuid()
        mounts = [Mount(FOLDER, str(self.folder), type="bind")]
        if volume:
            mounts.append(Mount(DATA_DIR, volume, type="volume"))
        return self.client.containers.create(
            self.image,
            command=list(command),
            user=f"{uid}:{uid}",
            working_dir="/",
            mounts=mounts,
            labels={STACK_LABEL: self.stack},
            **options,
        )

    def _ready(self, container: Container) -> Prometheus:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            container.reload()
            if container.status == "exited":
                break
            ports = container.attrs["NetworkSettings"]["Ports"].get(f"{PORT}/tcp")
            if ports:
                found = Prometheus(f"http://127.0.0.1:{ports[0]['HostPort']}")
                with contextlib.suppress(BenchmarkError):
                    found.get("/-/ready")
                    return found
            time.sleep(POLL_SECONDS)
        said = container.logs(tail=5).decode(errors="replace")
        raise BenchmarkError(f"Prometheus was not ready within {READY_SECONDS} s:\n{said}")


def _archived(archive: tarfile.TarFile) -> Block:
    files = {member.name: member for member in archive if member.isfile()}
    (meta,) = (member for name, member in files.items() if name.endswith("/meta.json"))
    content = archive.extractfile(meta)
    assert content is not None
    return _block({name: member.size for name, member in files.items()}, content.read().decode())


def _block(sizes: Mapping[str, int], meta: str) -> Block:
    """Of the sizes of its files by their paths, and the text of its meta.json."""
    stats = json.loads(meta)["stats"]
    return Block(
        samples=stats["numSamples"],
        series=stats["numSeries"],
        chunks=stats["numChunks"],
        chunk_bytes=sum(size for name, size in sizes.items() if "/chunks/" in name),
        index_bytes=sum(size for name, size in sizes.items() if name.endswith("/index")),
    )
