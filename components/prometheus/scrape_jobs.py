"""Scrape jobs of the user's own, with their secrets as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.docker import tls_files
from components.settings import upstream
from components.settings.settings import Settings
from components.settings.upstream import secret_leaves

FOLDER: Final = "scrape-jobs"
"""Folder of the secrets, below Prometheus' own folder."""


def rendered(
    settings: Settings, limits: Mapping[str, Any], config_dir: str
) -> list[dict[str, Any]]:
    """Return the jobs as `prometheus.yml` has them; all their metrics are stored.

    `limits` are those of every scrape, unless a job sets its own.
    """
    found = []
    for job in settings.scrape_jobs:
        files = {path: _file(settings, job, path, secret) for path, secret in secret_leaves(job)}
        own = upstream.with_files(
            job,
            files,
            lambda path, files=files: f"{config_dir}/{files[path]}",  # type: ignore[misc]
        )
        found.append({"job_name": job["job_name"], **limits, **own})
    return found


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the secrets by the paths of their files."""
    return {
        _file(settings, job, path, secret): secret
        for job in settings.scrape_jobs
        for path, secret in secret_leaves(job)
    }


def _file(settings: Settings, job: Mapping[str, Any], path: tuple[str, ...], secret: str) -> str:
    """Return a name that changes with the secret: Prometheus would go on with the old one."""
    name = upstream.file_name((job["job_name"], *path))
    return f"{FOLDER}/{name}-{tls_files.secret_version(settings, name, secret)}"
