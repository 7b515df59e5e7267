"""What a program will register, and what of it a rehearsal leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ops.program import Registration, unwrap
from ops.rehearsal.errors import RehearsalError

BUCKET_CHECK = "pulumi-python:dynamic/vitalstream:BucketCheck"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
GRAFANA_OBJECTS = "grafana:"
DOCKER_PROVIDER = "pulumi:providers:docker"

Key = tuple[str, str]


@dataclass(frozen=True)
class Plan:
    """The registrations of a run that created nothing, secrets unwrapped, less those left out."""

    stack: str
    registrations: tuple[Registration, ...]
    left_out: frozenset[Key]

    def inputs(self, kind: str) -> list[dict[str, Any]]:
        """The inputs of the resources of a type that will be made."""
        return [
            unwrap(found.inputs)
            for found in self.registrations
            if found.type == kind and key(found) not in self.left_out
        ]

    @property
    def docker_host(self) -> str:
        return str(self.inputs(DOCKER_PROVIDER)[0]["host"])

    @property
    def left_out_names(self) -> tuple[str, ...]:
        """What people know of it: `container grafana`, `dashboard overview`."""
        return tuple(
            f"{found.type.rpartition(':')[2].lower()} {found.name}"
            for found in self.registrations
            if key(found) in self.left_out and found.type.startswith((CONTAINER, GRAFANA_OBJECTS))
        )


def key(registration: Registration) -> Key:
    return registration.type, registration.name


def image_of(registrations: Iterable[Registration], service: str) -> str | None:
    """The image that a service runs, by the name in its registration."""
    return next(
        (
            str(found.inputs["name"])
            for found in registrations
            if found.type == IMAGE and _of_urn(found.parent)[1] == service
        ),
        None,
    )


def left_out(registrations: Sequence[Registration], services: Iterable[str]) -> frozenset[Key]:
    """The services, all that belongs to them and all that depends on them.

    Raises RehearsalError for a service that the program does not have.
    """
    components = {found.name: key(found) for found in registrations if not found.custom}
    if unknown := sorted(set(services) - set(components)):
        raise RehearsalError(
            f"There is no {', '.join(unknown)} to leave out; there are: "
            f"{', '.join(sorted(components))}."
        )
    gone = {components[service] for service in services}
    while more := {
        key(found)
        for found in registrations
        if key(found) not in gone
        and any(_of_urn(urn) in gone for urn in (found.parent, *found.dependencies) if urn)
    }:
        gone |= more
    return frozenset(gone)


def _of_urn(urn: str) -> Key:
    """`urn:pulumi:stack::project::parentType$type::name`."""
    *_, types, name = urn.split("::")
    return types.rpartition("$")[2], name
