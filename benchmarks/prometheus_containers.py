"""Prometheus and promtool in the stack's own image, on a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.models.containers import Container
from docker.types import Mount

from benchmarks.projects import BenchmarkError
from components.catalog.services import SERVICES
from components.preflight.conflicts import STACK_LABEL
from components.prometheus.config import PORT

FOLDER = "/bench"
READY_SECONDS = 120
POLL_SECONDS = 0.2
STOP_SECONDS = 60
TOOL_SECONDS = 1800
QUERY_SECONDS = 120


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus server at `url`."""

    url: str

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the data of the API's answer; parameters go by POST, as from Grafana.

        Raises BenchmarkError.
        """
        return self._call(path, parameters).json()["data"]

    def get(self, path: str) -> str:
        """Return the answer's text. Raises BenchmarkError with the server's message."""
        return self._call(path, {}).text

    def _call(self, path: str, parameters: Mapping[str, Any]) -> requests.Response:
        url, method = f"{self.url}{path}", "POST" if parameters else "GET"
        try:
            answer = requests.request(method, url, data=parameters, timeout=QUERY_SECONDS)
        except requests.RequestException as error:
            raise BenchmarkError(f"Prometheus does not answer {url}: {error}") from None
        if not answer.ok:
            raise BenchmarkError(f"Prometheus refuses {url}: {answer.text}")
        return answer

    def blocks(self) -> int:
        """Return the number of blocks that are loaded."""
        name = "prometheus_tsdb_blocks_loaded "
        lines = self.get("/metrics").splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith(name))


@dataclass(frozen=True)
class PrometheusContainers:
    """Containers of `image`, labelled with `stack`, with `folder` mounted at FOLDER."""

    client: docker.DockerClient
    image: str
    folder: Path
    stack: str

    def promtool(self, *arguments: str) -> None:
        """Raises BenchmarkError with promtool's message."""
        container = self._create(arguments, entrypoint=["promtool"], network_mode="none")
        try:
            container.start()
            status = container.wait(timeout=TOOL_SECONDS)["StatusCode"]
            output = container.logs().decode(errors="replace").strip()
        finally:
            container.remove(force=True, v=True)
        if status != 0:
            raise BenchmarkError(f"`promtool {' '.join(arguments[:3])}` failed:\n{output[-2000:]}")

    @contextlib.contextmanager
    def server(self, *flags: str, limited: bool = False) -> Iterator[Prometheus]:
        """Run a server on the data in FOLDER/data; `limited` sets the stack's own limits."""
        limit = SERVICES["prometheus"].limit
        limits = {"mem_limit": limit.memory, "nano_cpus": int(limit.cpus * 1e9)}
        (self.folder / "prometheus.yml").write_text("global: {}\n")
        data = (f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={FOLDER}/data")
        container = self._create(
            [*data, *flags],
            ports={f"{PORT}/tcp": ("127.0.0.1", None)},
            **(limits if limited else {}),
        )
        try:
            container.start()
            yield self._ready(container)
        finally:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True, v=True)

    def _create(self, command: Sequence[str], **options: Any) -> Container:
        return self.client.containers.create(
            self.image,
            command=list(command),
            user=f"{os.geteuid()}:{os.geteuid()}",
            working_dir="/",
            mounts=[Mount(FOLDER, str(self.folder), type="bind")],
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
        log = container.logs(tail=5).decode(errors="replace")
        raise BenchmarkError(f"Prometheus was not ready within {READY_SECONDS} s:\n{log}")
