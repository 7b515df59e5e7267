"""Containers of the Docker host, by cAdvisor, from their control groups."""

from __future__ import annotations

from typing import Final

from components.catalog.image import Image
from components.catalog.integration import Exporter, Integration

# With Docker's driver `cgroupfs`, and with `systemd`.
CGROUPS: Final = ("/docker/", "/system.slice/docker-")
"""What the paths of Docker's control groups begin with, before the container's id."""
EXPORTER: Final = Exporter(
    "cadvisor",
    "container",
    8080,
    # No digest: none was confirmed in two places (docs/decisions/0003-image-digests.md). Root,
    # without whom Docker gives no capability: docs/decisions/0021-containers.md.
    Image("ghcr.io/google/cadvisor", "v0.60.5", None, 0),
    memory="128m",
    of_application=False,
    serves_tls=False,
)
INTEGRATION: Final = Integration(
    kind="containers",
    service="container",
    rule_files=("containers.yml",),
    dashboards=("containers",),
    exporter=EXPORTER,
)
