"""Plan of the resources, and what the local deploy leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from components.docker.engines import Engine
from ops.offline.local_deploy.errors import LocalDeployError
from ops.offline.program import Registration, unwrap

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
    """Registrations of a run that created nothing, secrets unwrapped, less those left out."""

    stack: str
    registrations: tuple[Registration, ...]
    left_out: frozenset[Key]

    def inputs(self, kind: str) -> list[dict[str, Any]]:
        """Return the inputs of the resources of a type that will be created."""
        return [
            unwrap(found.inputs)
            for found in self.registrations
            if found.type == kind and key(found) not in self.left_out
        ]

    @property
    def engines(self) -> dict[str, Engine]:
        """Engines by the resource name of their provider; that of `dockerHost` comes first."""
        found = {
            one.name: unwrap(one.inputs)
            for one in self.registrations
            if one.type == DOCKER_PROVIDER
        }
        return {
            name: Engine(
                str(inputs["host"]),
                name.removeprefix("docker").removeprefix("-"),
                str(inputs.get("certPath") or ""),
            )
            for name, inputs in sorted(found.items())
        }

    def on(self, provider: str) -> Plan:
        """Return the part of the plan that one engine runs."""
        there = (one for one in self.registrations if _provider(one) in ("", provider))
        return replace(self, registrations=tuple(there))

    @property
    def docker_host(self) -> str:
        """Docker host of a plan that `on` reduced to one engine."""
        [engine] = self.engines.values()
        return engine.url

    @property
    def left_out_names(self) -> tuple[str, ...]:
        """Readable names of what was left out: `container grafana`, `dashboard overview`."""
        return tuple(
            f"{found.type.rpartition(':')[2].lower()} {found.name}"
            for found in self.registrations
            if key(found) in self.left_out and found.type.startswith((CONTAINER, GRAFANA_OBJECTS))
        )


def provider_of(registration: Registration) -> str:
    """Return the name of a resource's provider, from `URN::ID`; empty if it has none."""
    return registration.provider.split("::")[-2] if registration.provider else ""


def _provider(registration: Registration) -> str:
    if registration.type == DOCKER_PROVIDER:
        return registration.name
    return provider_of(registration) if registration.type.startswith("docker:") else ""


def key(registration: Registration) -> Key:
    return registration.type, registration.name


def image_of(registrations: Iterable[Registration], service: str) -> tuple[str, str] | None:
    """Return name and provider of the image that a service runs."""
    return next(
        (
            (str(found.inputs["name"]), provider_of(found))
            for found in registrations
            if found.type == IMAGE and _of_urn(found.parent)[1] == service
        ),
        None,
    )


def left_out(registrations: Sequence[Registration], services: Iterable[str]) -> frozenset[Key]:
    """Return the services, all that belongs to them and all that depends on them.

    Raises LocalDeployError for a service that the program does not have.
    """
    components = {found.name: key(found) for found in registrations if not found.custom}
    if unknown := sorted(set(services) - set(components)):
        raise LocalDeployError(
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
