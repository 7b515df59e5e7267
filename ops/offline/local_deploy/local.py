"""Local images as `vitalstream:images`, without a registry."""

from __future__ import annotations

import re
from collections.abc import Callable

import docker

from components.catalog.images import IMAGES
from ops.offline import images as debian_images
from ops.offline.images.recipes import REPOSITORY_PREFIX

# A stack needs an image of these only for several Grafanas, or for probes.
UNCOMMON = frozenset(("haproxy", "blackbox-exporter"))
# Debian has no package of these.
NOT_MADE = ("grafana", "thanos", "cadvisor")
# What the program calls the images of the demo, which are any PostgreSQL, Redis and Python.
DEMO_KEYS = {name: f"demo-{name}" for name in ("postgres", "redis", "python")}


def local_images(
    client: docker.DockerClient,
    report: Callable[[str], None],
    *,
    demo: bool = True,
    uncommon: bool = False,
) -> dict[str, str]:
    """Makes the images that are missing; of `NOT_MADE` only where there are some already.

    Raises LocalImagesError.
    """
    wanted = [
        name
        for name in debian_images.SERVICES
        if DEMO_KEYS.get(name, name) in IMAGES
        and (demo or name not in DEMO_KEYS)
        and (uncommon or name not in UNCOMMON)
    ]
    return _by_key(debian_images.ensure(wanted, client, report), client)


def present_images(client: docker.DockerClient) -> dict[str, str]:
    """Return the images that already exist."""
    return _by_key(debian_images.present(debian_images.SERVICES, client), client)


def _by_key(tags: dict[str, str], client: docker.DockerClient) -> dict[str, str]:
    """Return the tags by the program's own keys, plus the images that are not built here."""
    images = {DEMO_KEYS.get(name, name): tag for name, tag in tags.items()}
    for name in NOT_MADE:
        if tag := _newest_tag(client, f"{REPOSITORY_PREFIX}/{name}"):
            images[name] = tag
    return images


def _newest_tag(client: docker.DockerClient, repository: str) -> str | None:
    """Return the tag of the highest version, whenever it was made."""
    tags = [tag for image in client.images.list(name=repository) for tag in image.tags]
    own = [tag for tag in tags if tag.startswith(f"{repository}:")]
    return max(own, key=_numbers, default=None)


def _numbers(tag: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", tag.rpartition(":")[2])]
