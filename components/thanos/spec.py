"""Serving options of Thanos components: clear text or TLS.

Only the querier requires the password. The others serve their metrics and, by gRPC in a network
shared with Prometheus alone, samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi_docker as docker

from components.catalog.thanos import GRPC_PORT, HTTP_PORT, IMAGE
from components.docker import tls_files
from components.docker.config_files import NoAction, RestartOnChange
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.settings.settings import Settings

CONFIG_DIR = "/etc/thanos"
READY = "/-/ready"


def spec(
    settings: Settings,
    service: str,
    command: Sequence[str],
    *,
    files: Mapping[str, str] | None = None,
    secret_files: Mapping[str, str] | None = None,
    cache_dir: str | None = None,
    chown_volumes: Mapping[str, str] | None = None,
    mounts: Sequence[docker.ContainerMountArgs] = (),
    grpc: bool = False,
) -> ServiceSpec:
    """Return a component's container.

    `command` is the subcommand and its flags beyond serving; paths of files are below `CONFIG_DIR`.
    `grpc`: it serves samples. `cache_dir` and `chown_volumes` as in `ServiceSpec`.
    """
    password = service in tls_files.WITH_PASSWORD
    return ServiceSpec(
        ContainerSpec(
            service=service,
            image=IMAGE,
            command=[
                *command,
                "--log.level=info",
                f"--http-address=0.0.0.0:{HTTP_PORT}",
                *_http_flags(settings),
                *(_grpc_flags(settings) if grpc else []),
            ],
            probe=_probe(settings, password=password),
            mounts=mounts,
            stop_seconds=30,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files=files or {},
            secret_files={
                **(secret_files or {}),
                **tls_files.server_files(settings, password=password),
            },
            on_change=RestartOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction()},
        ),
        cache_dir=cache_dir,
        chown_volumes=chown_volumes or {},
    )


def _http_flags(settings: Settings) -> list[str]:
    # A stop need not wait for clients that read metrics: the default is 2 minutes.
    grace = ["--http-grace-period=5s"]
    return [*grace, f"--http.config={CONFIG_DIR}/{tls_files.SERVER}"] if settings.tls else grace


def _grpc_flags(settings: Settings) -> list[str]:
    flags = [f"--grpc-address=0.0.0.0:{GRPC_PORT}", "--grpc-grace-period=5s"]
    if settings.tls:
        flags += [
            f"--grpc-server-tls-cert={CONFIG_DIR}/{tls_files.CERTIFICATE}",
            f"--grpc-server-tls-key={CONFIG_DIR}/{tls_files.KEY}",
        ]
    return flags


def _probe(settings: Settings, *, password: bool) -> str:
    """Return the health probe.

    With a password it only checks for a response, since BusyBox' wget would need the password as an
    argument.
    """
    if not (settings.tls and password):
        return busybox_probe(HTTP_PORT, READY, tls=settings.tls)
    over_tls = busybox_probe(HTTP_PORT, READY, tls=True)
    url = f"https://127.0.0.1:{HTTP_PORT}{READY}"
    asked = f"wget -O /dev/null --no-check-certificate {url} 2>&1 | grep -q '401 Unauthorized'"
    return f"{{ {asked} || {over_tls}; }}"
