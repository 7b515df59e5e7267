"""The images of Debian's packages, made by one of the processes of `pytest -n`."""

from __future__ import annotations

from collections.abc import Callable

import docker

from ops import rehearsal
from tests.turns import turn


def local_images(
    client: docker.DockerClient,
    report: Callable[[str], None],
    *,
    demo: bool = True,
    uncommon: bool = False,
) -> dict[str, str]:
    """As `rehearsal.local_images`, whose others wait for the first and find what it made."""
    with turn("images"):
        return rehearsal.local_images(client, report, demo=demo, uncommon=uncommon)
