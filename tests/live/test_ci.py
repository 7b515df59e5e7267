"""What `.ci/run` does before and after the tests."""

from __future__ import annotations

import subprocess

import docker
from docker.errors import NotFound
from docker.models.resource import Model

from ops.root import ROOT

STACK = "leftover-of-a-killed-run"


def test_remove_stacks_matching_stack_is_removed_and_another_stays(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> None:
    labels = {STACK: {"vitalstream.stack": STACK}, "kept": {"vitalstream.stack": f"not-{STACK}"}}
    made = []
    for label in labels.values():
        name = f"vitalstream-{label['vitalstream.stack']}"
        network = docker_client.networks.create(name, labels=label)
        volume = docker_client.volumes.create(name, labels=label)
        container = docker_client.containers.create(
            images["prometheus"], name=name, labels=label, network=name, volumes=[f"{name}:/data"]
        )
        made.append((container, network, volume))
    try:
        subprocess.run([ROOT / ".ci/remove-stacks", f"^{STACK}(-|$)"], check=True)
        assert [[_exists(part) for part in parts] for parts in made] == [[False] * 3, [True] * 3]
    finally:
        for container, network, volume in made:
            for part in (container, network, volume):
                if _exists(part):
                    part.remove()


def _exists(part: Model) -> bool:
    try:
        part.reload()
    except NotFound:
        return False
    return True
