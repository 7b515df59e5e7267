"""Thanos querier: one Prometheus API over all sidecars and the store, deduplicated."""

from __future__ import annotations

from typing import Any

from components.catalog.thanos import (
    GRPC_PORT,
    QUERIER,
    STORE,
)
from components.common import yaml_text
from components.docker import tls_files
from components.docker.service import ServiceSpec
from components.prometheus.config import REPLICA_LABEL
from components.settings.settings import Settings
from components.thanos import spec as serving

ENDPOINTS = "endpoints.yml"


def spec(settings: Settings) -> ServiceSpec:
    return serving.spec(
        settings,
        QUERIER,
        [
            "query",
            f"--query.replica-label={REPLICA_LABEL}",
            # A panel of a year reads downsampled data; one of an hour reads raw samples.
            "--query.auto-downsampling",
            f"--endpoint.sd-config-file={serving.CONFIG_DIR}/{ENDPOINTS}",
        ],
        files={ENDPOINTS: render_endpoints(settings)},
        secret_files={tls_files.AUTHORITY: f"{settings.tls_ca.strip()}\n"} if settings.tls else {},
        grpc=True,
    )


def render_endpoints(settings: Settings) -> str:
    """Return the querier's endpoints. `dns+` looks names up again after a container got a new
    address.
    """
    endpoints = [
        {"address": f"dns+{name}:{GRPC_PORT}"} for name in (*settings.thanos_sidecars, STORE)
    ]
    config = {**_client_config(settings), "endpoints": endpoints}
    return yaml_text.dump(config)


def _client_config(settings: Settings) -> dict[str, Any]:
    """Return the client TLS configuration of all endpoints, which present the same certificate.

    Endpoints with `dns+` cannot have their own client_config (Thanos 0.42) and would silently be
    queried in clear text.
    """
    if not settings.tls:
        return {}
    authority = f"{serving.CONFIG_DIR}/{tls_files.AUTHORITY}"
    return {
        "default_client_config": {
            "tls_config": {"enabled": True, "ca_file": authority},
            "server_name": settings.server_name(STORE),
        }
    }
