"""node_exporter: the host's CPU, memory and disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_docker as docker

from components.container import ContainerSpec, http_probe
from components.exporters.exporter import Exporter
from components.service import ServiceSpec

if TYPE_CHECKING:
    from components.settings import Settings

PORT = 9100
HOST_ROOT = "/host"
# Not the machine's disks: kernel and container mounts, and memory that looks like a disk.
IGNORED_FILESYSTEMS = (
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|mqueue"
    "|nsfs|overlay|proc|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs)$"
)
IGNORED_MOUNT_POINTS = "^/(dev|proc|run|sys|var/lib/(docker|containerd|kubelet))($|/)"


def _spec(_settings: Settings) -> ServiceSpec:
    return ServiceSpec(
        ContainerSpec(
            service="node-exporter",
            command=[
                f"--path.rootfs={HOST_ROOT}",
                f"--path.procfs={HOST_ROOT}/proc",
                f"--path.sysfs={HOST_ROOT}/sys",
                f"--collector.filesystem.fs-types-exclude={IGNORED_FILESYSTEMS}",
                f"--collector.filesystem.mount-points-exclude={IGNORED_MOUNT_POINTS}",
                # In a network namespace of its own these would be the container's figures.
                "--no-collector.netdev",
                "--no-collector.netstat",
                "--no-collector.sockstat",
                "--no-collector.arp",
            ],
            probe=http_probe(PORT, "/"),
            port=PORT,
            # The host's, read-only: what the exporter is for (docs/decisions/0002-hardening.md).
            # No propagation is named: Docker then takes rslave where / is a shared mount, as
            # systemd makes it, and private elsewhere. Named, one or the other does not start.
            mounts=[
                docker.ContainerMountArgs(
                    type="bind",
                    source="/",
                    target=HOST_ROOT,
                    read_only=True,
                )
            ],
            pid_mode="host",
        )
    )


EXPORTER = Exporter(
    service="node-exporter", job="node", port=PORT, spec=_spec, of_application=False
)
