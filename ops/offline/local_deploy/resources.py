"""Creation of networks, volumes and images as by the Docker provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import docker
import docker.errors
from docker.types import IPAMConfig, IPAMPool

from ops.offline.local_deploy.errors import LocalDeployError, docker_message
from ops.root import ROOT

BUILD_LOG_LINES = 15
MADE_BY_LABEL = "vitalstream.made-by"
# The value of the label on containers and volumes of earlier releases.
LOCAL_DEPLOY = "rehearsal"


def labels(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return a resource's labels with the mark of the local deploy."""
    given = {entry["label"]: entry["value"] for entry in inputs.get("labels") or []}
    return {**given, MADE_BY_LABEL: LOCAL_DEPLOY}


def made_here(found: Mapping[str, str] | None) -> bool:
    return (found or {}).get(MADE_BY_LABEL) == LOCAL_DEPLOY


def create_network(client: docker.DockerClient, inputs: Mapping[str, Any]) -> str:
    made = client.networks.create(
        inputs["name"],
        driver=inputs.get("driver") or "bridge",
        internal=inputs.get("internal") or False,
        labels=labels(inputs),
        ipam=_ipam(inputs.get("ipamConfigs") or []),
        check_duplicate=True,
    )
    return str(made.id)


def _ipam(configs: list[Mapping[str, Any]]) -> IPAMConfig | None:
    if not configs:
        return None
    pools = [IPAMPool(subnet=one["subnet"], gateway=one.get("gateway")) for one in configs]
    return IPAMConfig(pool_configs=pools)


def create_volume(client: docker.DockerClient, inputs: Mapping[str, Any]) -> str:
    """Create a volume; an existing one is kept with its data."""
    try:
        return str(client.volumes.get(inputs["name"]).id)
    except docker.errors.NotFound:
        made = client.volumes.create(inputs["name"], labels=labels(inputs))
        return str(made.id)


def find_image(
    client: docker.DockerClient, inputs: Mapping[str, Any], report: Callable[[str], None]
) -> str:
    """Return the id of a local image, built if needed. Raises LocalDeployError."""
    name = inputs["name"]
    if inputs.get("build"):
        return _build(client, name, inputs["build"], report)
    try:
        return str(client.images.get(name).id)
    except docker.errors.ImageNotFound:
        raise LocalDeployError(missing_image(name)) from None


def missing_image(name: str) -> str:
    return (
        f"There is no image {name} on this Docker Engine, and the local deploy pulls none. "
        "fix: `python -m ops.offline.images` makes images of Debian's packages; set "
        "vitalstream:images to them"
    )


def _build(
    client: docker.DockerClient, name: str, build: Mapping[str, Any], report: Callable[[str], None]
) -> str:
    report(f"building {name}")
    try:
        # Docker's SDK leaves out of the context what .dockerignore names.
        image, _ = client.images.build(
            path=str(ROOT / build["context"]),
            dockerfile=build.get("dockerfile"),
            buildargs=build.get("buildArgs"),
            tag=name,
            labels={MADE_BY_LABEL: LOCAL_DEPLOY},
            rm=True,
            forcerm=True,
        )
    except docker.errors.BuildError as error:
        lines = [entry["stream"] for entry in error.build_log if entry.get("stream")]
        log = "".join(lines).strip().splitlines()[-BUILD_LOG_LINES:]
        raise LocalDeployError(
            f"The image {name} cannot be built: {error.msg}\n" + "\n".join(log)
        ) from None
    except docker.errors.APIError as error:
        raise LocalDeployError(
            f"The image {name} cannot be built: {docker_message(error)}"
        ) from None
    return str(image.id)
