"""Storage of the blocks: a bucket of an S3-compatible store, or a folder of this host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from components.common import yaml_text
from components.docker.container import container_name, volume_mount
from components.docker.service import data_volume
from components.settings.settings import Settings
from components.thanos.spec import CONFIG_DIR

FILE = "objstore.yml"
CA_FILE = "objstore-ca.pem"
FOLDER = "/bucket"
VOLUME = "thanos-bucket"
FLAG = f"--objstore.config-file={CONFIG_DIR}/{FILE}"


def files(settings: Settings) -> dict[str, str]:
    """Return the files that contain no secret."""
    thanos = settings.thanos
    if thanos.directory:
        return {FILE: _rendered({"type": "FILESYSTEM", "config": {"directory": FOLDER}})}
    return {CA_FILE: f"{thanos.ca.strip()}\n"} if thanos.ca else {}


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the store's configuration with its keys.

    Format: https://thanos.io/tip/thanos/storage.md/#s3.
    """
    thanos = settings.thanos
    if thanos.directory:
        return {}
    config: dict[str, Any] = {"bucket": thanos.bucket, "endpoint": thanos.endpoint}
    if thanos.region:
        config["region"] = thanos.region
    config |= {
        "insecure": thanos.insecure,
        "access_key": settings.thanos_access_key.get_secret_value(),
        "secret_key": settings.thanos_secret_key.get_secret_value(),
    }
    if thanos.ca:
        config["http_config"] = {"tls_config": {"ca_file": f"{CONFIG_DIR}/{CA_FILE}"}}
    place = {"prefix": thanos.prefix} if thanos.prefix else {}
    return {FILE: _rendered({"type": "S3", "config": config, **place})}


def mounts(settings: Settings) -> Sequence[docker.ContainerMountArgs]:
    """Return the mount of the folder, used without an object store."""
    if not settings.thanos.directory:
        return []
    return [volume_mount(_volume_name(settings), FOLDER, read_only=False)]


def chown_volumes(settings: Settings) -> dict[str, str]:
    return {_volume_name(settings): FOLDER} if settings.thanos.directory else {}


def volume(settings: Settings, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the folder's volume, protected like the services' data."""
    return [data_volume(settings, VOLUME, opts)] if settings.thanos.directory else []


def _volume_name(settings: Settings) -> str:
    return f"{container_name(settings.stack, VOLUME)}-data"


def _rendered(config: dict[str, Any]) -> str:
    return yaml_text.dump(config)
