"""Docker images made on the spot from Debian's packages, where no image registry can be reached.

They replace the official images: the same user, entrypoint, paths and client, in the versions of
Debian testing, or of Debian 13 with ``IMAGES=oldest``.
Nothing is installed on this machine, and no root rights are needed beyond access to Docker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import docker
import docker.errors

from ops.offline.images import build, rootfs, wheels
from ops.offline.images.debian import suite as chosen_suite
from ops.offline.images.errors import LocalImagesError
from ops.offline.images.recipes import (
    BASE_PACKAGES,
    ENTRYPOINTS,
    LABEL,
    LEFT_OUT,
    RECIPES,
    REPOSITORY_PREFIX,
)

__all__ = ["SERVICES", "LocalImagesError", "ensure", "present", "recipe_hash"]

SERVICES = tuple(RECIPES)


def ensure(
    services: Iterable[str],
    client: docker.DockerClient,
    report: build.Report,
    *,
    rebuild: bool = False,
    suite: str | None = None,
) -> dict[str, str]:
    """Make the images of ``services`` that are not there yet; return each service's tag.

    They are made from Debian's ``suite``, by default from the one that ``IMAGES`` chooses.

    An image is there when one carries the hash of its present recipe, whatever versions it was
    made from; ``rebuild`` makes it anew from the packages of today. ``report`` gets one line of
    progress at a time, from several threads. Raises LocalImagesError, in one line, when an image
    cannot be made; temporary files are removed either way.
    """
    wanted = list(dict.fromkeys(services))
    if unknown := [service for service in wanted if service not in RECIPES]:
        raise LocalImagesError(f"no recipe for {', '.join(unknown)}, only for {', '.join(RECIPES)}")
    if any(RECIPES[service].demo for service in wanted):
        wheels.require_requirements()
    suite = suite or chosen_suite()
    try:
        tags = {} if rebuild else present(wanted, client, suite)
        missing = {name: recipe_hash(name, suite) for name in wanted if name not in tags}
        if missing:
            tags |= build.make(missing, suite, client, report)
    except docker.errors.DockerException as error:
        reason = getattr(error, "explanation", None) or error
        raise LocalImagesError(f"Docker: {reason}") from error
    return {service: tags[service] for service in wanted}


def recipe_hash(service: str, suite: str) -> str:
    """Return a hash that changes whenever the image of ``service`` would be built differently."""
    recipe = RECIPES[service]
    parts = [suite, service, repr(recipe), repr(BASE_PACKAGES), repr(LEFT_OUT)]
    parts += [json.dumps(build.configuration(recipe, version="0", digest=""))]
    sources = [Path(rootfs.__file__), *(ENTRYPOINTS / name for name in recipe.files.values())]
    if recipe.demo:
        sources += [Path(wheels.__file__), wheels.REQUIREMENTS]
    parts += [source.read_text() for source in sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def present(
    services: Iterable[str], client: docker.DockerClient, suite: str | None = None
) -> dict[str, str]:
    """Return the tags of the existing images that match the current recipes."""
    suite = suite or chosen_suite()
    found = {}
    for service in services:
        for image in client.images.list(
            filters={"label": f"{LABEL}={recipe_hash(service, suite)}"}
        ):
            for tag in image.tags:
                if tag.startswith(f"{REPOSITORY_PREFIX}/{service}:"):
                    found[service] = tag
    return found
