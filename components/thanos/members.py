"""The processes of Thanos, and where each is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.settings import Settings

HTTP_PORT = 10902
GRPC_PORT = 10901
IMAGE = "thanos"
SIDECAR = "thanos-sidecar"
STORE = "thanos-store"
COMPACTOR = "thanos-compact"
QUERIER = "thanos-query"
SERVICES = (SIDECAR, STORE, COMPACTOR, QUERIER)


def sidecars(settings: Settings) -> dict[str, str]:
    """Each sidecar, and the Prometheus that it stands beside."""
    return dict(zip(settings.replicas(SIDECAR), settings.replicas("prometheus"), strict=True))


def scrape_jobs(settings: Settings) -> dict[str, list[str]]:
    """Each scrape job, named as its service, and its targets; none where Thanos is off."""
    if not settings.thanos.on:
        return {}
    jobs = {SIDECAR: [*sidecars(settings)], **{name: [name] for name in SERVICES[1:]}}
    return {job: [f"{name}:{HTTP_PORT}" for name in names] for job, names in jobs.items()}


def store_apis(settings: Settings) -> list[str]:
    """Who has samples for the querier."""
    return [*sidecars(settings), STORE]
