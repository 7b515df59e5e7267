"""Service of the stack: its image, volumes, files and container, in order of dependency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi
import pulumi_docker as docker

from components.catalog.networks import HOST_NAME
from components.docker.config_files import ConfigFiles, ConfigFilesArgs, OnChange
from components.docker.container import (
    ContainerSpec,
    Network,
    container_name,
    hardened_container,
    volume_mount,
)
from components.settings.settings import Settings

DATA_SUFFIX = "-data"
# A changed label or option deletes the volume and creates an empty one.
FROZEN = ["labels", "driver", "driverOpts"]


@dataclass(frozen=True)
class ServiceFiles:
    """Files of a service: see `ConfigFilesArgs`."""

    target: str
    on_change: OnChange
    on_change_by_path: Mapping[str, OnChange] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    secret_files: Mapping[str, str] = field(default_factory=dict)
    checker: Sequence[str] = ()


@dataclass(frozen=True)
class ServiceSpec:
    """Container, files and volumes of a service.

    `data_dir` is the mount point of data that must survive the container, `cache_dir` that of
    data the service can recreate. `read_only_volumes` are volumes that other services write to, by
    name, and where this service reads them. `chown_volumes` are volumes, by full name, and where
    the service mounts them to write: their roots are chowned to the service's user, as `cache_dir`
    is, since no image has a folder there.
    """

    container: ContainerSpec
    files: ServiceFiles | None = None
    data_dir: str | None = None
    cache_dir: str | None = None
    read_only_volumes: Mapping[str, str] = field(default_factory=dict)
    chown_volumes: Mapping[str, str] = field(default_factory=dict)


class Service(pulumi.ComponentResource):
    """Service with all its resources.

    `image` is one that is built here or shared; without it, the service's own is pulled. The
    resources in `after` exist and are healthy before the service's files or container change.
    """

    container: docker.Container
    data: docker.Volume | None = None

    def __init__(
        self,
        token: str,
        settings: Settings,
        spec: ServiceSpec,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
        *,
        image: docker.RemoteImage | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        service = spec.container.service
        super().__init__(token, service, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        image_name = settings.image(spec.container.image_key)
        image = image or pulled_image(service, image_name, child)
        needed: list[pulumi.Resource] = [*after]
        mounts = [*spec.container.mounts]
        if spec.data_dir:
            self.data = data_volume(settings, service, child)
            mounts.append(volume_mount(self.data.name, spec.data_dir, read_only=False))
        if spec.cache_dir:
            cache = _named_volume(settings, *_cache_names(service), child)
            needed.append(cache)
            mounts.append(volume_mount(cache.name, spec.cache_dir, read_only=False))
        for name, target in spec.read_only_volumes.items():
            volume = _named_volume(settings, name, f"{name}-volume", child)
            mounts.append(volume_mount(volume.name, target, read_only=True))
        if spec.files:
            files = _config_files(settings, spec, image_name, [image, *needed], child)
            needed.append(files)
            mounts.append(
                volume_mount(
                    _config_volume_name(settings, service), spec.files.target, read_only=True
                )
            )
        self.container = hardened_container(
            settings,
            replace(spec.container, mounts=mounts, knows_host=_names_host(spec)),
            image.image_id,
            networks,
            pulumi.ResourceOptions(parent=self, depends_on=needed),
        )
        self.register_outputs({"container": self.container.name})


def _names_host(spec: ServiceSpec) -> bool:
    """Return whether the service asks for something on the Docker host itself, by its name."""
    if spec.container.knows_host:
        return True
    texts = [*spec.container.command, *spec.container.envs]
    if spec.files:
        files = {**spec.files.files, **spec.files.secret_files}
        # Rules and templates are texts for people, in which the name may be an instance's.
        texts += [
            text
            for path, text in files.items()
            if not path.startswith("rules/") and not path.endswith(".tmpl")
        ]
    return any(HOST_NAME in text for text in texts)


def pulled_image(service: str, name: str, opts: pulumi.ResourceOptions) -> docker.RemoteImage:
    """Pull an image if it is missing. It stays on destroy: other stacks may run it."""
    return docker.RemoteImage(f"{service}-image", name=name, keep_locally=True, opts=opts)


def data_volume(settings: Settings, service: str, opts: pulumi.ResourceOptions) -> docker.Volume:
    """Create a volume whose content must survive."""
    return docker.Volume(
        f"{service}{DATA_SUFFIX}",
        name=f"{container_name(settings.stack, service)}{DATA_SUFFIX}",
        labels=[docker.VolumeLabelArgs(label="vitalstream.stack", value=settings.stack)],
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(protect=settings.protect_data, ignore_changes=FROZEN),
        ),
    )


def _named_volume(
    settings: Settings, name: str, resource: str, opts: pulumi.ResourceOptions
) -> docker.Volume:
    """Create a volume whose content can be recreated."""
    return docker.Volume(
        resource,
        name=container_name(settings.stack, name),
        labels=[docker.VolumeLabelArgs(label="vitalstream.stack", value=settings.stack)],
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=FROZEN)),
    )


def _cache_names(service: str) -> tuple[str, str]:
    """Return the names of the volume and of its resource, as they are in the state of stacks."""
    return f"{service}-scratch", f"{service}-scratch-volume"


def _config_volume_name(settings: Settings, service: str) -> str:
    return f"{container_name(settings.stack, service)}-config"


def _config_files(
    settings: Settings,
    spec: ServiceSpec,
    image: str,
    depends_on: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> ConfigFiles:
    assert spec.files is not None
    service = spec.container.service
    name = _config_volume_name(settings, service)
    volume = _named_volume(settings, f"{service}-config", f"{service}-config-volume", opts)
    chown_volumes = dict(spec.chown_volumes)
    if spec.cache_dir:
        chown_volumes[container_name(settings.stack, _cache_names(service)[0])] = spec.cache_dir
    return ConfigFiles(
        f"{service}-config",
        settings,
        ConfigFilesArgs(
            service=service,
            # A literal name instead of an output, so that a preview can check the files.
            volume=name,
            image=image,
            uid=spec.container.uid,
            target=spec.files.target,
            files=spec.files.files,
            secret_files=spec.files.secret_files,
            checker=spec.files.checker,
            on_change=spec.files.on_change,
            on_change_by_path=spec.files.on_change_by_path,
            chown_volumes=chown_volumes,
        ),
        pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=[volume, *depends_on])
        ),
    )
