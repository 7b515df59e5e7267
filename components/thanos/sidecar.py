"""Thanos sidecar: uploads a Prometheus' finished blocks and serves its newest samples."""

from __future__ import annotations

from components.common import yaml_text
from components.docker import tls_files
from components.docker.container import container_name, volume_mount
from components.docker.service import DATA_SUFFIX, ServiceSpec
from components.prometheus.config import PORT as PROMETHEUS_PORT
from components.prometheus.prometheus import DATA_DIR
from components.settings.settings import Settings
from components.thanos import object_storage
from components.thanos import spec as serving

CLIENT = f"{tls_files.FOLDER}/prometheus.yml"


def spec(settings: Settings, service: str, prometheus: str) -> ServiceSpec:
    """Return the sidecar of the Prometheus with that name."""
    volume = f"{container_name(settings.stack, prometheus)}{DATA_SUFFIX}"
    return serving.spec(
        settings,
        service,
        [
            "sidecar",
            f"--prometheus.url={settings.scheme}://{prometheus}:{PROMETHEUS_PORT}",
            *([f"--prometheus.http-client-file={serving.CONFIG_DIR}/{CLIENT}"] * settings.tls),
            f"--tsdb.path={DATA_DIR}",
            # Upload blocks merged by a Prometheus without Thanos too, or that history is missing.
            "--shipper.upload-compacted",
            object_storage.FLAG,
        ],
        files=object_storage.files(settings),
        secret_files={**object_storage.secret_files(settings), **_client_files(settings)},
        chown_volumes=object_storage.chown_volumes(settings),
        # Writable: it hard-links blocks to upload, and records which ones it has uploaded.
        mounts=[
            volume_mount(volume, DATA_DIR, read_only=False),
            *object_storage.mounts(settings),
        ],
        grpc=True,
    )


def _client_files(settings: Settings) -> dict[str, str]:
    """Return the files to query Prometheus with; nothing without TLS."""
    if not settings.tls:
        return {}
    config = tls_files.client_config(settings, serving.CONFIG_DIR, "prometheus", password=True)
    return {
        tls_files.AUTHORITY: f"{settings.tls_ca.strip()}\n",
        tls_files.PASSWORD: settings.web_password.get_secret_value(),
        CLIENT: yaml_text.dump(config),
    }
