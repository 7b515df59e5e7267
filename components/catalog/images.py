"""Table of all images with tag and digest.

A digest is listed only if it could be confirmed: docs/decisions/0003-image-digests.md.
"""

from __future__ import annotations

import re

from components.catalog.exporters import EXPORTERS
from components.catalog.image import Image

IMAGES: dict[str, Image] = {
    "prometheus": Image(
        "prom/prometheus",
        "v3.13.4",
        "sha256:87861b8cf91579109319ebc300f3f1060e6da9c05d6ae8ad15a20c879e84e32e",
        65534,
    ),
    "grafana": Image(
        "grafana/grafana",
        "12.4.11",
        "sha256:3ea272e5cab64a4a62240c682e2c62433b25614d956d44c299a10cb6994f6f2e",
        472,
    ),
    "alertmanager": Image(
        "prom/alertmanager",
        "v0.34.1",
        "sha256:e9733bafb1bdef9b00e25a21f8f99dc26a22224bf16641ad754d1649f4c3357a",
        65534,
    ),
    # In front of several Grafanas. No digest: only one source lists it for this tag.
    "haproxy": Image("haproxy", "3.2.22-alpine", None, 99),
    **{exporter.service: exporter.image for exporter in EXPORTERS},
    # No digest: only one source lists it for this tag. Not the image's own user (1001): the
    # sidecar writes into Prometheus' volume, and the components share a volume as well.
    "thanos": Image("thanosio/thanos", "v0.42.4", None, 65534),
    "demo-postgres": Image(
        "postgres",
        "17.11-bookworm",
        "sha256:051f7b7b3abdd564d5d1bd1e8c4b9c1b6e77087d1dd22020ede611c096a272e0",
        999,
    ),
    "demo-redis": Image(
        "redis",
        "8.10.1-alpine",
        "sha256:becdda6c7f4b3fb42e42fd7f120bbf5c54c4caaaf16f26da24e4563d2c1f0576",
        999,
    ),
    # Base image of demo/Dockerfile, from which the demo's backend and traffic are built.
    "demo-python": Image(
        "python",
        "3.13.16-slim",
        "sha256:bf44cdfcb76cd3b41e879bc058fc37ec5872002ccfde7fcb765e218cde0cd79c",
        10001,
    ),
}

OLDEST_SUPPORTED: dict[str, tuple[int, int]] = {
    "prometheus": (2, 53),
    "alertmanager": (0, 28),
    "grafana": (12, 0),
    "node-exporter": (1, 9),
    "postgres-exporter": (0, 17),
    "redis-exporter": (1, 69),
    "haproxy": (3, 0),
}
"""Major and minor version by service: docs/reference/versions.md."""

_VERSION = re.compile(r":v?(?P<major>\d+)\.(?P<minor>\d+)[^/]*$")


def is_unsupported(service: str, reference: str) -> bool:
    """Return whether an image's tag says a version older than the supported ones."""
    found = _VERSION.search(reference.partition("@")[0])
    oldest = OLDEST_SUPPORTED.get(service)
    if found is None or oldest is None:
        return False
    return (int(found["major"]), int(found["minor"])) < oldest
