"""node_exporter: a host's CPU, memory, disks and network."""

from __future__ import annotations

import pulumi_docker as docker

from components.catalog import replicas
from components.catalog.integrations.host import EXPORTER
from components.catalog.replicas import MAIN
from components.docker import tls_files
from components.docker.config_files import NoAction
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.settings.settings import Settings

HOST_ROOT = "/host"
CONFIG_DIR = "/etc/node_exporter"
# The volume in which `ops backup` writes the time of the last backup.
TEXTFILE = "textfile"
TEXTFILE_DIR = "/textfile"
# Kernel and container mounts and memory file systems, which are not disks of the host.
IGNORED_FILESYSTEMS = (
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|mqueue"
    "|nsfs|overlay|proc|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs)$"
)
# Not what is mounted there for containers either; but a disk of Docker's own, or of its volumes, is
# where PostgreSQL and Prometheus write, and fills up like any other.
IGNORED_MOUNT_POINTS = (
    "^/(dev|proc|run|sys)($|/)|^/var/lib/docker/(volumes/|[^v]|v[^o])"
    "|^/var/lib/(containerd|kubelet)/"
)
# Not the machine's lines: loopback, and what containers are plugged into. Theirs come and go with
# every restart, and their traffic passes a real interface too where it leaves the machine.
IGNORED_INTERFACES = (
    "^(br-[0-9a-f]+|cali.*|cni[0-9]+|docker[0-9]+|dummy[0-9]+|flannel.*|ifb[0-9]+|lo|veth.*)$"
)
# net/ in any /proc is a link to the reader's own network namespace, here the container's. Process
# 1's is the host's and readable by everybody; the rest is as the host has it.
PROC = "/tmp/proc"
LINK_PROC = (
    f"mkdir -p {PROC} && ln -sfn {HOST_ROOT}/proc/[a-z]* {HOST_ROOT}/proc/1 {PROC}/ && "
    f'ln -sfn {HOST_ROOT}/proc/1/net {PROC}/net && exec "$0" "$@"'
)


def spec(settings: Settings, host: str = MAIN) -> ServiceSpec:
    """Return the exporter of a host of `vitalstream:hosts`, or of the main host."""
    service = replicas.node_exporter(host)
    files = tls_files.server_files(settings, password=False)
    return ServiceSpec(
        ContainerSpec(
            service=service,
            entrypoint=["sh", "-c", LINK_PROC, "/bin/node_exporter"],
            command=[
                f"--path.rootfs={HOST_ROOT}",
                f"--path.procfs={PROC}",
                f"--path.sysfs={HOST_ROOT}/sys",
                f"--collector.filesystem.fs-types-exclude={IGNORED_FILESYSTEMS}",
                f"--collector.filesystem.mount-points-exclude={IGNORED_MOUNT_POINTS}",
                *([] if host else [f"--collector.textfile.directory={TEXTFILE_DIR}"]),
                f"--collector.netclass.ignored-devices={IGNORED_INTERFACES}",
                f"--collector.netdev.device-exclude={IGNORED_INTERFACES}",
                # Read over netlink, these would be the container's figures.
                "--no-collector.netdev.netlink",
                "--no-collector.arp",
                # Figures of every protocol, which no rule or dashboard reads.
                "--no-collector.netstat",
                "--no-collector.sockstat",
                *tls_files.server_flags(settings, CONFIG_DIR),
            ],
            probe=busybox_probe(EXPORTER.port, "/", tls=settings.tls),
            port=EXPORTER.port,
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
        ),
        files=ServiceFiles(target=CONFIG_DIR, secret_files=files, on_change=NoAction())
        if files
        else None,
        read_only_volumes={} if host else {TEXTFILE: TEXTFILE_DIR},
    )
