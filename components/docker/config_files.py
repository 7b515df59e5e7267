"""Configuration files of a container: checked, copied to a volume and applied in place.

The provider's own `uploads` would replace the container at every edit, and fail on a read-only root
file system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.docker.config_files_provider import ConfigFilesProvider
from components.docker.container import container_name
from components.docker.engines import engine_of
from components.settings.settings import Settings


@dataclass(frozen=True)
class NoAction:
    """No action: the service reads its files whenever it needs them."""

    def as_props(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class ReloadOnChange:
    """Send SIGHUP to Prometheus, Alertmanager or blackbox_exporter, whose log says whether the
    reload succeeded.
    """

    def as_props(self) -> dict[str, Any]:
        return {"reload": True}


@dataclass(frozen=True)
class RunOnChange:
    """Run a command inside the container."""

    command: tuple[str, ...]

    def as_props(self) -> dict[str, Any]:
        return {"run": list(self.command)}


@dataclass(frozen=True)
class RestartOnChange:
    """Restart the service, which reads its files only when it starts."""

    def as_props(self) -> dict[str, Any]:
        return {"restart": True}


OnChange = NoAction | ReloadOnChange | RunOnChange | RestartOnChange


@dataclass(frozen=True)
class ConfigFilesArgs:
    """Inputs of `ConfigFiles`.

    `files` by path below `target`; `secret_files` likewise, with mode 0400 and encrypted in state.
    `on_change` applies to all files except those at or below the paths of `on_change_by_path`,
    which have their own actions. `checker` is a command of the service's image, run on the files at
    `target`; empty where the service has none. `chown_volumes` are other volumes, by name, and
    their mount points in the service: their roots are chowned to the service's user before it
    starts.
    """

    service: str
    volume: str
    target: str
    image: str
    uid: int
    on_change: OnChange
    on_change_by_path: Mapping[str, OnChange] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    secret_files: Mapping[str, str] = field(default_factory=dict)
    checker: Sequence[str] = ()
    chown_volumes: Mapping[str, str] = field(default_factory=dict)


class ConfigFiles(Resource, module="vitalstream", name="ConfigFiles"):
    def __init__(
        self,
        name: str,
        settings: Settings,
        args: ConfigFilesArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            ConfigFilesProvider(),
            name,
            {
                **engine_of(settings, args.service).props,
                "volume": args.volume,
                "target": args.target,
                "image": args.image,
                "uid": args.uid,
                "container": container_name(settings.stack, args.service),
                "files": dict(args.files),
                "secret_files": pulumi.Output.secret(dict(args.secret_files))
                if args.secret_files
                else {},
                "checker": list(args.checker),
                "on_change": args.on_change.as_props(),
                # Names of inputs are in every stack's state: another name would be a change there.
                "on_change_below": {
                    path: how.as_props() for path, how in args.on_change_by_path.items()
                },
                **({"owned": dict(args.chown_volumes)} if args.chown_volumes else {}),
            },
            opts,
        )
