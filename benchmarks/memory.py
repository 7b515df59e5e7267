"""What the containers of a stack hold in memory while the demo's traffic runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.models.containers import Container

from benchmarks.stack import containers

PAUSE_SECONDS = 5
MEGABYTE = 1e6


def resident(client: docker.DockerClient, stack: str, seconds: float) -> list[dict[str, float]]:
    """Megabytes by service, looked at every 5 s for `seconds`."""
    found = containers(client, stack)
    samples = []
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(len(found)) as pool:
        while True:
            sizes = pool.map(_resident_bytes, found)
            samples.append(
                {
                    container.labels["vitalstream.service"]: size / MEGABYTE
                    for container, size in zip(found, sizes, strict=True)
                }
            )
            if time.monotonic() >= deadline:
                return samples
            time.sleep(PAUSE_SECONDS)


def _resident_bytes(container: Container) -> int:
    stats: Any = container.stats(stream=False, one_shot=True)
    return without_file_cache(stats["memory_stats"])


def without_file_cache(stats: Mapping[str, Any]) -> int:
    """As `docker stats` shows it: less the page cache that the kernel takes back at once.

    cgroup v1 calls that total_inactive_file, v2 inactive_file.
    """
    details = stats["stats"]
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return int(stats["usage"] - cache)
