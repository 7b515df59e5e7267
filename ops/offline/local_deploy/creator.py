"""Creator of the registered resources, in place of the engine and its providers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import docker
import docker.errors

from components.docker.config_files_provider import ConfigFilesProvider
from components.docker.connection import ConfigFilesError
from ops.offline.local_deploy import containers, resources
from ops.offline.local_deploy.errors import LocalDeployError, StoppedError, docker_message
from ops.offline.local_deploy.grafana_api import GrafanaApi
from ops.offline.local_deploy.plan import (
    BUCKET_CHECK,
    CONTAINER,
    DOCKER_PROVIDER,
    IMAGE,
    NETWORK,
    VOLUME,
    Key,
    key,
    provider_of,
)
from ops.offline.program import Registration, unwrap

CONFIG_FILES = "pulumi-python:dynamic/vitalstream:ConfigFiles"
PREFLIGHT = "pulumi-python:dynamic/vitalstream:Preflight"
GRAFANA_PROVIDER = "pulumi:providers:grafana"
FOLDER = "grafana:oss/folder:Folder"
DATA_SOURCE = "grafana:oss/dataSource:DataSource"
DASHBOARD = "grafana:oss/dashboard:Dashboard"
FOLDER_PERMISSION = "grafana:oss/folderPermission:FolderPermission"
TEAM = "grafana:oss/team:Team"

Outputs = dict[str, Any]
Clients = Mapping[str, docker.DockerClient]
"""Docker clients by the resource name of their provider."""
Made = tuple[str, Outputs]
Report = Callable[[str], None]


class LocalCreator:
    """Called from many threads at once, each time for a resource whose dependencies are there.

    After the first failure nothing more is begun, and `failure` is what the user reads.
    """

    def __init__(self, clients: Clients, left_out: frozenset[Key], report: Report) -> None:
        self.failure: LocalDeployError | None = None
        self._clients = clients
        self._left_out = left_out
        self._report = report
        self._grafana: GrafanaApi | None = None
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._active = 0
        self._makers: dict[str, Callable[[dict[str, Any]], Made]] = {
            CONFIG_FILES: self._config_files,
            DASHBOARD: lambda inputs: (self._grafana_there.create_dashboard(inputs), inputs),
            DATA_SOURCE: lambda inputs: (self._grafana_there.create_data_source(inputs), inputs),
            DOCKER_PROVIDER: lambda inputs: ("docker", inputs),
            FOLDER: lambda inputs: (self._grafana_there.create_folder(inputs), inputs),
            FOLDER_PERMISSION: lambda inputs: (self._grafana_there.set_permissions(inputs), inputs),
            TEAM: lambda inputs: (self._grafana_there.create_team(inputs), inputs),
            GRAFANA_PROVIDER: self._grafana_provider,
            # The local deploy has its own, stricter preflight.
            PREFLIGHT: lambda inputs: ("preflight", inputs),
            BUCKET_CHECK: lambda inputs: ("bucket", inputs),
        }
        self._by_engine: dict[str, Callable[[docker.DockerClient, dict[str, Any]], Made]] = {
            CONTAINER: lambda client, inputs: (
                containers.create(client, inputs, self._stop, self._report),
                inputs,
            ),
            IMAGE: self._image,
            NETWORK: lambda client, inputs: (resources.create_network(client, inputs), inputs),
            VOLUME: lambda client, inputs: (resources.create_volume(client, inputs), inputs),
        }

    def __call__(self, registration: Registration) -> tuple[str, Outputs]:
        if not registration.custom or key(registration) in self._left_out:
            return f"{registration.name}-id", registration.inputs
        with self._changed:
            self._active += 1
        try:
            return self._create(registration)
        except Exception as error:
            self._fail(self._in_plain_words(error, registration))
            raise
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Stop, and wait for running creations to end."""
        self._stop.set()
        with self._changed:
            self._changed.wait_for(lambda: self._active == 0)

    def _create(self, registration: Registration) -> tuple[str, Outputs]:
        if self._stop.is_set():
            raise StoppedError(f"{registration.name} was not made.")
        inputs = unwrap(registration.inputs)
        if make := self._makers.get(registration.type):
            return make(inputs)
        if make_there := self._by_engine.get(registration.type):
            return make_there(self._clients[provider_of(registration)], inputs)
        raise LocalDeployError(f"The local deploy cannot create a {registration.type}.")

    def _fail(self, failure: LocalDeployError) -> None:
        with self._changed:
            if self.failure is None and not isinstance(failure, StoppedError):
                self.failure = failure
        self._stop.set()

    def _in_plain_words(self, error: Exception, registration: Registration) -> LocalDeployError:
        if isinstance(error, LocalDeployError):
            return error
        if isinstance(error, ConfigFilesError):
            return LocalDeployError(f"{registration.name}: {error}")
        if isinstance(error, docker.errors.DockerException):
            return LocalDeployError(
                f"Docker does not make {registration.name}: {docker_message(error)}"
            )
        return LocalDeployError(f"{registration.name}: {type(error).__name__}: {error}")

    def _config_files(self, inputs: dict[str, Any]) -> tuple[str, Outputs]:
        props = {name: value for name, value in inputs.items() if name != "__provider"}
        made = ConfigFilesProvider().create(props)
        return str(made.id), dict(made.outs or {})

    def _image(self, client: docker.DockerClient, inputs: dict[str, Any]) -> Made:
        image = resources.find_image(client, inputs, self._report)
        return image, {**inputs, "imageId": image}

    def _grafana_provider(self, inputs: dict[str, Any]) -> tuple[str, Outputs]:
        self._grafana = GrafanaApi(inputs["url"], inputs["auth"], inputs.get("caCert") or "")
        return "grafana", inputs

    @property
    def _grafana_there(self) -> GrafanaApi:
        if self._grafana is None:
            raise LocalDeployError("A Grafana object came before its provider.")
        return self._grafana
