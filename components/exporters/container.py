"""cAdvisor: CPU, memory, restarts and kills of the Docker host's containers."""

from __future__ import annotations

import pulumi_docker as docker

from components.catalog.integrations.containers import CGROUPS, EXPORTER
from components.catalog.replicas import MAIN
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceSpec
from components.settings.settings import Settings

CGROUP_ROOT = "/sys/fs/cgroup"
KERNEL_LOG = "/dev/kmsg"


def spec(_settings: Settings, _host: str = MAIN) -> ServiceSpec:
    """Return the container, without Docker's socket: docs/decisions/0021-containers.md."""
    return ServiceSpec(
        ContainerSpec(
            service=EXPORTER.service,
            command=[
                f"--port={EXPORTER.port}",
                "--enable_metrics=cpu,memory,oom_event",
                f"--raw_cgroup_prefix_whitelist={','.join(CGROUPS)}",
                "--housekeeping_interval=10s",
                # Otherwise an idle container is looked at once a minute.
                "--allow_dynamic_housekeeping=false",
                "--store_container_labels=false",
            ],
            probe=busybox_probe(EXPORTER.port, "/healthz", tls=False),
            port=EXPORTER.port,
            mounts=[
                docker.ContainerMountArgs(
                    type="bind", source=CGROUP_ROOT, target=CGROUP_ROOT, read_only=True
                )
            ],
            readable_devices=(KERNEL_LOG,),
            added_capabilities=("CAP_SYSLOG",),
        )
    )
