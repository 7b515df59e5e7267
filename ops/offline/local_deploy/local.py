"""Local images as `vitalstream:images`, without a registry."""

from __future__ import annotations

from collections.abc import Callable

import docker

from ops.offline import images as debian_images
from ops.offline.images.recipes import REPOSITORY_PREFIX

# Of these a stack needs an image only if its settings ask for more than one of something.
UNCOMMON = frozenset(("haproxy",))
# Debian has no package of these.
NOT_MADE = ("grafana", "thanos")
# What the program calls the images of the demo, which are any PostgreSQL, Redis and Python.
DEMO_KEYS = {name: f"demo-{name}" for name in ("postgres", "redis", "python")}


def local_images(
    client: docker.DockerClient,
    report: Callable[[str], None],
    *,
    demo: bool = True,
    uncommon: bool = False,
) -> dict[str, str]:
    """Makes the images that are missing; of Grafana and Thanos only where there are some already.

    Raises LocalImagesError.
    """
    wanted = [
        name
        for name in debian_images.SERVICES
        if (demo or name not in DEMO_KEYS) and (uncommon or name not in UNCOMMON)
    ]
    tags = debian_images.ensure(wanted, client, report)
    images = {DEMO_KEYS.get(name, name): tag for name, tag in tags.items()}
    for name in NOT_MADE:
        if tag := _newest_tag(client, f"{REPOSITORY_PREFIX}/{name}"):
            images[name] = tag
    return images


def _newest_tag(client: docker.DockerClient, repository: str) -> str | None:
    """Docker lists the newest image first."""
    tags = [tag for image in client.images.list(name=repository) for tag in image.tags]
    return next((tag for tag in tags if tag.startswith(f"{repository}:")), None)
