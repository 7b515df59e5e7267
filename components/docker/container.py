"""The hardened container that every service runs in.

Every value is written in the form in which the Docker provider reads it back, so that a second `up`
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime_settings

from components.catalog import replicas
from components.catalog.images import IMAGES
from components.catalog.networks import HOST_NAME
from components.common.quantities import go_duration, memory_mebibytes
from components.docker import api_version, health_report
from components.docker.engines import Engine, engine_of
from components.settings.settings import Settings

HEALTHY_MARK = "/tmp/healthy"
STEADY_PAUSE_SECONDS = 15
PROBE_SECONDS = 5
MAX_OPEN_FILES = 8192
# pulumi-docker 5.2.0 has no PIDs limit. This ulimit counts all processes of the uid on the host,
# other containers' too, hence the high value.
MAX_PROCESSES = 4096
# Planned as an update by the provider and never applied (pulumi-docker 5.2.0).
NEVER_UPDATED_IN_PLACE = ["healthcheck", "tmpfs", "init", "mounts"]


@dataclass(frozen=True)
class Network:
    """Network to join, the aliases of the container in it, and its fixed address there, if any."""

    name: pulumi.Input[str]
    aliases: tuple[str, ...] = ()
    ipv4: str | None = None


@dataclass(frozen=True)
class PublishedPort:
    """Additional port for other hosts, beside the service's own; `protocol` is tcp or udp."""

    internal: int
    external: int
    protocol: str


@dataclass(frozen=True)
class ContainerSpec:
    """Properties of one service beyond those that all containers share.

    `probe` is a shell command that succeeds once the service serves. A service with a `port` is
    published, if the settings publish it, at the address and port that they set for `published_as`,
    which differs from the service behind a balancer. `image` is its key in the table of images,
    where that is not the service's own name. With `knows_host` the Docker host has the name
    `HOST_NAME` in the container. `added_capabilities` and `readable_devices` of the host are
    exceptions of docs/decisions/0002-hardening.md.
    """

    service: str
    command: Sequence[str]
    probe: str
    image: str | None = None
    port: int | None = None
    published_as: str | None = None
    more_ports: Sequence[PublishedPort] = ()
    envs: Sequence[str] = ()
    entrypoint: Sequence[str] | None = None
    mounts: Sequence[docker.ContainerMountArgs] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    pid_mode: str | None = None
    added_capabilities: Sequence[str] = ()
    readable_devices: Sequence[str] = ()
    dns_opts: Sequence[str] = ()
    knows_host: bool = False
    stop_seconds: int = 10
    wait_seconds: int = 60

    @property
    def uid(self) -> int:
        """User id that the service runs as, which owns its files."""
        return IMAGES[self.image_key].uid

    @property
    def image_key(self) -> str:
        return self.image or replicas.base(self.service)

    @property
    def published(self) -> str:
        """Name under which the settings publish the service."""
        return self.published_as or self.service


def container_name(stack: str, service: str) -> str:
    return f"vitalstream-{stack}-{service}"


def volume_mount(
    volume: pulumi.Input[str], target: str, *, read_only: bool
) -> docker.ContainerMountArgs:
    """Return the mount of a named volume. The provider reads back `mounts`, not `volumes`."""
    return docker.ContainerMountArgs(
        type="volume", source=volume, target=target, read_only=read_only
    )


def http_probe(port: int, path: str, *, tls: bool = False) -> str:
    """Return a probe of the loopback address, where TLS needs no verification."""
    if tls:
        return f"wget -q -O /dev/null --no-check-certificate https://127.0.0.1:{port}{path}"
    return f"wget -q -O /dev/null http://127.0.0.1:{port}{path}"


def busybox_probe(port: int, path: str, *, tls: bool) -> str:
    """Return a probe for images with BusyBox' wget.

    BusyBox up to 1.36 cannot negotiate TLS with servers built with newer Go
    (docker-library/busybox#162). Such a server answers plain HTTP with an error that says it
    expects TLS, which shows that it is listening.
    """
    asked = http_probe(port, path, tls=tls)
    if not tls:
        return asked
    plain = f"wget -O /dev/null http://127.0.0.1:{port}{path} 2>&1 | grep -q '400 Bad Request'"
    return f"{{ {asked} || {plain}; }}"


def hardened_container(
    settings: Settings,
    spec: ContainerSpec,
    image_id: pulumi.Input[str],
    networks: Sequence[Network],
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """Create the container of `spec`; Pulumi continues once it is healthy."""
    limit = settings.limit(spec.service)
    engine, name = engine_of(settings, spec.service), container_name(settings.stack, spec.service)
    memory = memory_mebibytes(limit.memory)
    return docker.Container(
        spec.service,
        name=name,
        image=image_id,
        # An empty list would be read back as the image's own command, and replaced for it.
        command=list(spec.command) or None,
        entrypoints=list(spec.entrypoint) if spec.entrypoint else None,
        envs=list(spec.envs),
        user=f"{spec.uid}:{spec.uid}",
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(
                name=network.name,
                aliases=[*network.aliases, spec.service],
                ipv4_address=network.ipv4,
            )
            for network in networks
        ],
        ports=_ports(settings, spec) or None,
        mounts=list(spec.mounts),
        tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m", **spec.tmpfs},
        labels=[
            docker.ContainerLabelArgs(label="vitalstream.service", value=spec.service),
            docker.ContainerLabelArgs(label="vitalstream.stack", value=settings.stack),
        ],
        # Both: with `memory` alone the provider plans an update at every preview.
        memory=memory,
        memory_swap=memory,
        # "1.0" and "0.25": other ways to write the number are a replacement at every preview.
        cpus=str(float(limit.cpus)),
        read_only=True,
        capabilities=docker.ContainerCapabilitiesArgs(
            drops=["ALL"], adds=list(spec.added_capabilities) or None
        ),
        devices=[
            docker.ContainerDeviceArgs(host_path=path, container_path=path, permissions="r")
            for path in spec.readable_devices
        ]
        or None,
        # Docker itself adds the first where the pid namespace is the host's.
        security_opts=[*(["label=disable"] if spec.pid_mode else []), "no-new-privileges:true"],
        pid_mode=spec.pid_mode,
        dns_opts=list(spec.dns_opts) or None,
        hosts=[docker.ContainerHostArgs(host=HOST_NAME, ip="host-gateway")]
        if spec.knows_host
        else None,
        ulimits=[_ulimit("nofile", MAX_OPEN_FILES), _ulimit("nproc", MAX_PROCESSES)],
        init=True,
        # Restarts after a reboot and without a limit of attempts: `on-failure` does neither.
        restart="unless-stopped",
        log_driver="json-file",
        log_opts={"max-size": "10m", "max-file": "3"},
        healthcheck=_healthcheck(spec.probe, native=_has_start_interval(engine)),
        wait=True,
        wait_timeout=spec.wait_seconds,
        # The provider's default of 0 is SIGKILL.
        destroy_grace_seconds=spec.stop_seconds,
        stop_timeout=spec.stop_seconds,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                replace_on_changes=NEVER_UPDATED_IN_PLACE,
                # The provider asks for it where it replaces a container itself. For what the
                # engine replaces it does not, and the new one would need the name of the old.
                delete_before_replace=True,
                hooks=health_report.hooks(spec.service, engine, name),
            ),
        ),
    )


def _ports(settings: Settings, spec: ContainerSpec) -> list[docker.ContainerPortArgs]:
    found = [*spec.more_ports]
    if spec.port and spec.published in settings.published:
        found.insert(0, PublishedPort(spec.port, settings.published[spec.published], "tcp"))
    return [
        docker.ContainerPortArgs(
            internal=port.internal,
            external=port.external,
            ip=settings.bind_address_of(spec.published),
            protocol=port.protocol,
        )
        for port in found
    ]


def _ulimit(name: str, limit: int) -> docker.ContainerUlimitArgs:
    return docker.ContainerUlimitArgs(name=name, soft=limit, hard=limit)


def _has_start_interval(engine: Engine) -> bool:
    """Return whether an engine has `start_interval`.

    Rendering without an engine writes the form that every engine takes.
    """
    if isinstance(runtime_settings.get_monitor(), mocks.MockMonitor):
        return False
    version = api_version.api_version(engine)
    return version is None or version >= api_version.START_INTERVAL


def _healthcheck(probe: str, *, native: bool) -> docker.ContainerHealthcheckArgs:
    """Check once a second until the service serves, then every 16 s.

    An engine without `start_interval` (before 25) gets a probe that sleeps once it has succeeded;
    /tmp is emptied by a restart. One that has it, and is given none, waits 5 s before the first
    check.
    """
    if native:
        return docker.ContainerHealthcheckArgs(
            tests=["CMD-SHELL", probe],
            interval=go_duration(STEADY_PAUSE_SECONDS + 1),
            timeout=go_duration(PROBE_SECONDS),
            start_period=go_duration(60),
            start_interval=go_duration(1),
            retries=3,
        )
    test = f"[ -e {HEALTHY_MARK} ] && sleep {STEADY_PAUSE_SECONDS}; {probe} && touch {HEALTHY_MARK}"
    return docker.ContainerHealthcheckArgs(
        tests=["CMD-SHELL", test],
        interval=go_duration(1),
        timeout=go_duration(STEADY_PAUSE_SECONDS + PROBE_SECONDS),
        start_period=go_duration(60),
        retries=3,
    )
