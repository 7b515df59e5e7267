"""Images to upgrade from, and to: the oldest and the newest that are supported.

With LIVE_IMAGES=pinned they are pulled: an older release, and what the program pins.
"""

from __future__ import annotations

import os

import docker

from components.catalog.images import IMAGES
from ops.offline import images
from ops.offline.images.debian import SUITES
from tests.live.stack import say
from tests.turns import turn

# The last of the major version before, or some releases before the pinned one.
OLDER = {
    "prometheus": "prom/prometheus:v2.55.1",
    "alertmanager": "prom/alertmanager:v0.27.0",
    "grafana": "grafana/grafana:11.6.0",
}
MADE = ("prometheus", "alertmanager")


def pairs(client: docker.DockerClient) -> tuple[dict[str, str], dict[str, str]]:
    """The older and the newer image of each service; of Grafana only where they are pulled."""
    if os.environ.get("LIVE_IMAGES") == "pinned":
        for image in OLDER.values():
            client.images.pull(image)
        return OLDER, {service: IMAGES[service].reference for service in OLDER}
    with turn("images"):
        older, newer = (
            images.ensure(MADE, client, say, suite=SUITES[choice])
            for choice in ("oldest", "newest")
        )
    return older, newer
