"""Service discovery of the job `backend`: a fixed list, DNS names, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.settings.discovery import DnsSource, target_file
from components.user_files.paths import PROJECT_DIR, TARGETS_FOLDER

# The kernel notifies Prometheus of changes; this is for volume drivers that do not.
FILE_REFRESH = "30s"


def service_discovery(
    targets: Sequence[str], dns: Sequence[DnsSource], files: Sequence[str], folder: str
) -> dict[str, Any]:
    """Return the service discovery keys of a scrape configuration.

    `folder` is Prometheus' own. Files are named by a pattern, so that adding or removing a file
    does not change the configuration.
    """
    found: dict[str, Any] = {}
    if targets:
        found["static_configs"] = [{"targets": list(targets)}]
    if dns:
        found["dns_sd_configs"] = [_dns_sd_config(source) for source in dns]
    kinds = sorted({target_file(path).rpartition(".")[2] for path in files})
    if kinds:
        patterns = [f"{folder}/{TARGETS_FOLDER}/*.{kind}" for kind in kinds]
        found["file_sd_configs"] = [{"files": patterns, "refresh_interval": FILE_REFRESH}]
    return found


def load(paths: Sequence[str], project: Path = PROJECT_DIR) -> dict[str, str]:
    """Return the files' texts unchanged, by their paths below Prometheus' folder."""
    return {
        f"{TARGETS_FOLDER}/{target_file(path)}": (project / path).read_text("utf-8")
        for path in paths
    }


def _dns_sd_config(source: DnsSource) -> dict[str, Any]:
    port = {} if source.port is None else {"port": source.port}
    return {
        "names": [source.name],
        "type": source.type,
        **port,
        "refresh_interval": source.refresh_interval,
    }
