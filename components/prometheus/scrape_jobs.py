"""Scrape jobs of the user's own, with their secrets as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from components.settings import upstream
from components.settings.scrape_jobs import secret_leaves

FOLDER: Final = "scrape-jobs"
"""Where the secrets lie, below Prometheus' own folder."""


def rendered(
    jobs: Sequence[Mapping[str, Any]], limits: Mapping[str, Any], config_dir: str
) -> list[dict[str, Any]]:
    """Return the jobs as `prometheus.yml` has them; all their metrics are stored.

    `limits` are those of every scrape, unless a job sets its own.
    """
    return [
        {
            "job_name": job["job_name"],
            **limits,
            **upstream.with_files(
                job,
                [path for path, _ in secret_leaves(job)],
                lambda path, job=job: f"{config_dir}/{_file(job, path)}",  # type: ignore[misc]
            ),
        }
        for job in jobs
    ]


def secret_files(jobs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the secrets by the paths of their files, which Prometheus reads for each request."""
    return {_file(job, path): secret for job in jobs for path, secret in secret_leaves(job)}


def _file(job: Mapping[str, Any], path: tuple[str, ...]) -> str:
    return f"{FOLDER}/{upstream.file_name((job['job_name'], *path))}"
