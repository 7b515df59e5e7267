"""Images to upgrade from, and to: of those that are here, or pulled with LIVE_IMAGES=pinned."""

from __future__ import annotations

import os
from collections.abc import Mapping

import docker

from components.catalog.images import IMAGES
from ops.backup.stack import Version
from ops.offline.images.recipes import REPOSITORY_PREFIX

UPGRADED = ("prometheus", "alertmanager", "grafana")
# The last of the major version before, or some releases before the pinned one.
OLDER = {
    "prometheus": "prom/prometheus:v2.55.1",
    "alertmanager": "prom/alertmanager:v0.27.0",
    "grafana": "grafana/grafana:11.6.0",
}
MISSING = (
    f"no newer image than the stack's own is here, such as {REPOSITORY_PREFIX}/prometheus:3.5.0; "
    "LIVE_IMAGES=pinned pulls some"
)


def pairs(
    client: docker.DockerClient, images: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The older and the newer image of each service that has both; `images` are the settings'."""
    if os.environ.get("LIVE_IMAGES") == "pinned":
        for image in OLDER.values():
            client.images.pull(image)
        return OLDER, {service: IMAGES[service].reference for service in UPGRADED}
    newer = local(client, images)
    return {service: images[service] for service in newer}, newer


def local(client: docker.DockerClient, images: Mapping[str, str]) -> dict[str, str]:
    """By service, the newest image that is here, where it is newer than that of `images`."""
    found = {service: _newer(client, service, images) for service in UPGRADED}
    return {service: image for service, image in found.items() if image}


def _newer(client: docker.DockerClient, service: str, images: Mapping[str, str]) -> str | None:
    """The newest local image of a service, if it is newer than the one in use."""
    used = client.images.get(images[service]).tags if service in images else []
    present = max((_version(tag) for tag in used), default=(0, 0))
    there = [
        tag
        for image in client.images.list(name=f"{REPOSITORY_PREFIX}/{service}")
        for tag in image.tags
        if _version(tag) > present
    ]
    return max(there, key=_version, default=None)


def _version(tag: str) -> tuple[int, int]:
    found = Version.of(tag.rpartition(":")[2])
    return (found.major, found.minor) if found else (0, 0)
