"""Where the job `backend` finds its targets: a fixed list, DNS names, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.settings.discovery import FOLDER, DnsSource, target_file
from components.user_files.paths import PROJECT_DIR

# Prometheus is told of a change by the kernel; this is for a volume whose driver does not.
FILE_REFRESH = "30s"


def service_discovery(
    targets: Sequence[str], dns: Sequence[DnsSource], files: Sequence[str], folder: str
) -> dict[str, Any]:
    """Return the keys of a scrape configuration that say where its targets are found.

    `folder` is Prometheus' own. The files are named by pattern, so that one more or less of a kind
    is no change of the configuration.
    """
    found: dict[str, Any] = {}
    if targets:
        found["static_configs"] = [{"targets": list(targets)}]
    if dns:
        found["dns_sd_configs"] = [_dns_sd_config(source) for source in dns]
    kinds = sorted({target_file(path).rpartition(".")[2] for path in files})
    if kinds:
        patterns = [f"{folder}/{FOLDER}/*.{kind}" for kind in kinds]
        found["file_sd_configs"] = [{"files": patterns, "refresh_interval": FILE_REFRESH}]
    return found


def load(paths: Sequence[str], project: Path = PROJECT_DIR) -> dict[str, str]:
    """Return the texts of the files as they are, by their paths below Prometheus' folder."""
    return {f"{FOLDER}/{target_file(path)}": (project / path).read_text("utf-8") for path in paths}


def _dns_sd_config(source: DnsSource) -> dict[str, Any]:
    port = {} if source.port is None else {"port": source.port}
    return {
        "names": [source.name],
        "type": source.type,
        **port,
        "refresh_interval": source.refresh_interval,
    }
