"""Snapshot of a stack: resources with inputs, and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# A value that nobody is to read, as its fingerprint: `{"$secret": "9c1e..."}`. Two are the same
# where the values are; the key of the fingerprints is new for each comparison.
SECRET = "$secret"
# Marks a value in an engine's preview that is known only after `up`.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
DOCKER_PROVIDER = "pulumi:providers:docker"
GRAFANA_PROVIDER = "pulumi:providers:grafana"
DYNAMIC = "pulumi-python:dynamic/"
CONFIG_FILES = f"{DYNAMIC}vitalstream:ConfigFiles"
PREFLIGHT = f"{DYNAMIC}vitalstream:Preflight"
DASHBOARD = "grafana:oss/dashboard:Dashboard"
DATA_SOURCE = "grafana:oss/dataSource:DataSource"
FOLDER = "grafana:oss/folder:Folder"

PROMETHEUS_FILE = "prometheus.yml"
ALERTMANAGER_FILE = "alertmanager.yml"
RULES_FOLDER = "rules/"


@dataclass(frozen=True, order=True)
class Address:
    """Address of a resource: types of its parents, its type and its name, as in the URN."""

    types: tuple[str, ...]
    name: str

    @property
    def type(self) -> str:
        return self.types[-1]

    @property
    def kind(self) -> str:
        """Return the short type: `Container`, or `Provider docker`."""
        if self.type.startswith("pulumi:providers:"):
            return f"Provider {self.type.rpartition(':')[2]}"
        return self.type.rpartition(":")[2]

    def __str__(self) -> str:
        return f"{'$'.join(self.types)}::{self.name}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse an address or a URN."""
        types, name = text.split("::")[-2:]
        found = tuple(part for part in types.split("$") if part != "pulumi:pulumi:Stack")
        return cls(found or (types,), name)


@dataclass(frozen=True)
class Resource:
    """Resource as a program registers it. `options` are Pulumi's, by their names on the wire.

    In `inputs`, the `image` of a container is the image's name and not its id.
    """

    address: Address
    inputs: Mapping[str, Any]
    custom: bool = True
    protect: bool = False
    replace_on_changes: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    deleted_with: str = ""
    dependencies: frozenset[str] = frozenset()
    # Of what is on a Docker Engine: the name of the provider that knows which.
    provider: str = ""

    @property
    def host(self) -> str:
        """Return its host: `dockerHost`, or a name in `vitalstream:hosts`."""
        return self.provider.removeprefix("docker").removeprefix("-") or "dockerHost"

    @property
    def type(self) -> str:
        return self.address.type

    @property
    def name(self) -> str:
        return self.address.name


@dataclass(frozen=True)
class Setting:
    """Config value, and whether the stack's file sets it."""

    value: Any
    in_stack_file: bool


@dataclass(frozen=True)
class Snapshot:
    """Snapshot; `settings` is None if the source does not have them."""

    resources: Mapping[Address, Resource] = field(default_factory=dict)
    settings: Mapping[str, Setting] | None = None

    def of_type(self, kind: str) -> Iterator[Resource]:
        return (found for found in self.resources.values() if found.type == kind)

    def files(self) -> Iterator[tuple[Resource, str, Any]]:
        """Return all files of all `ConfigFiles`, secret ones included."""
        for resource in self.of_type(CONFIG_FILES):
            for part in ("files", "secret_files"):
                content = resource.inputs.get(part)
                if isinstance(content, Mapping) and not is_secret(content):
                    for path, text in content.items():
                        yield resource, path, text

    def file(self, path: str) -> str | None:
        """Return the text of a file, None if it is missing or secret."""
        return next(
            (text for _, found, text in self.files() if found == path and isinstance(text, str)),
            None,
        )

    def texts(self, folder: str) -> dict[str, str]:
        """Return the texts of the files in a folder by path."""
        return {
            path: text
            for _, path, text in self.files()
            if path.startswith(folder) and isinstance(text, str)
        }


def moved(old: Resource | None, new: Resource | None) -> bool:
    """Return whether it moves to another host."""
    return bool(old and new and old.provider and new.provider and old.provider != new.provider)


def provider_of(kind: str, reference: str) -> str:
    """Return the name of a Docker resource's provider from `URN::ID`."""
    return reference.split("::")[-2] if kind.startswith("docker:") and "::" in reference else ""


def is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {SECRET}


def service_of(container: Resource) -> str:
    """Return a container's service by its label."""
    for label in container.inputs.get("labels") or []:
        if isinstance(label, Mapping) and label.get("label") == "vitalstream.service":
            return str(label.get("value"))
    return container.name
