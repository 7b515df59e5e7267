"""The demo: a small backend, its traffic, a PostgreSQL and a Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.docker.config_files import RestartOnChange
from components.docker.container import ContainerSpec, Network
from components.docker.service import Service, ServiceFiles, ServiceSpec
from components.settings.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("app", "demo", "metrics")
SECRETS_DIR = "/etc/demo"
POSTGRES_PASSWORD_FILE = f"{SECRETS_DIR}/postgres_password"
HEARTBEAT = "/tmp/heartbeat"
REDIS_PASSWORD_FILE = f"{SECRETS_DIR}/redis_password"


def source_hash() -> str:
    """Return a hash of all files that the demo's image is built from."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not any(map(_is_made, path.relative_to(ROOT).parts)):
                digest.update(path.relative_to(ROOT).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _is_made(name: str) -> bool:
    """Return whether tools make files or folders of that name: .dockerignore has the same."""
    return name in ("__pycache__", "build") or name.endswith((".egg-info", "_cache"))


def _passwords(settings: Settings) -> dict[str, str]:
    return {
        "postgres_password": settings.postgres_password.get_secret_value(),
        "redis_password": settings.redis_password.get_secret_value(),
    }


def postgres_spec(settings: Settings) -> ServiceSpec:
    return ServiceSpec(
        ContainerSpec(
            service="demo-postgres",
            command=["postgres", "-c", "track_io_timing=on"],
            envs=[
                f"POSTGRES_DB={settings.postgres_database}",
                f"POSTGRES_PASSWORD_FILE={POSTGRES_PASSWORD_FILE}",
                f"POSTGRES_USER={settings.postgres_user}",
            ],
            probe="pg_isready -q -h 127.0.0.1",
            tmpfs={"/var/run/postgresql": "rw,noexec,nosuid,nodev,size=1m"},
            stop_seconds=30,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR, secret_files=_passwords(settings), on_change=RestartOnChange()
        ),
        data_dir="/var/lib/postgresql/data",
    )


def redis_spec(settings: Settings) -> ServiceSpec:
    config = f"{SECRETS_DIR}/redis.conf"
    password = settings.redis_password.get_secret_value()
    lines = ["maxmemory 32mb", "maxmemory-policy allkeys-lru", 'save ""', "dir /data"]
    if password:
        lines.append(f"requirepass {password}")
    return ServiceSpec(
        ContainerSpec(
            service="demo-redis",
            command=["redis-server", config],
            # A server that requires a password answers too.
            probe="redis-cli ping | grep -qE 'PONG|NOAUTH'",
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={"redis.conf": "\n".join([*lines, ""])},
            on_change=RestartOnChange(),
        ),
        data_dir="/data",
    )


def backend_spec(settings: Settings) -> ServiceSpec:
    return ServiceSpec(
        ContainerSpec(
            service="demo-backend",
            image="demo-python",
            command=[],
            envs=[
                # Lets users who try the stack make an alert fire.
                "DEMO_FAULTS=1",
                f"DEMO_POSTGRES_DATABASE={settings.postgres_database}",
                "DEMO_POSTGRES_HOST=demo-postgres",
                f"DEMO_POSTGRES_PASSWORD_FILE={POSTGRES_PASSWORD_FILE}",
                f"DEMO_POSTGRES_USER={settings.postgres_user}",
                "DEMO_REDIS_HOST=demo-redis",
                f"DEMO_REDIS_PASSWORD_FILE={REDIS_PASSWORD_FILE}",
            ],
            probe="python3 -m demo.healthcheck",
        ),
        files=ServiceFiles(
            target=SECRETS_DIR, secret_files=_passwords(settings), on_change=RestartOnChange()
        ),
    )


def traffic_spec() -> ServiceSpec:
    return ServiceSpec(
        ContainerSpec(
            service="demo-traffic",
            image="demo-python",
            command=["python3", "-m", "demo.traffic", "--target", "http://backend:8000"],
            envs=[f"DEMO_HEARTBEAT={HEARTBEAT}"],
            probe=f"python3 -m demo.healthcheck --heartbeat {HEARTBEAT}",
        )
    )


class Demo(pulumi.ComponentResource):
    """Demo application in its own network, which the stack joins like any application's."""

    def __init__(
        self,
        settings: Settings,
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("vitalstream:demo:Demo", "demo", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        image = docker.RemoteImage(
            "demo-image",
            name=f"vitalstream-demo:{source_hash()}",
            keep_locally=True,
            build=docker.RemoteImageBuildArgs(
                # Relative to the project, so that it is the same on every machine.
                context=".",
                dockerfile="demo/Dockerfile",
                build_args={"BASE": settings.image("demo-python")},
            ),
            opts=child,
        )
        # No part waits for another: the backend answers without its stores, and the traffic begins
        # when the backend is ready.
        for alias, spec, image_built in (
            ("postgres", postgres_spec(settings), None),
            ("redis", redis_spec(settings), None),
            ("backend", backend_spec(settings), image),
            ("traffic", traffic_spec(), image),
        ):
            self._service(settings, spec, networks, alias, image_built)
        self.register_outputs({})

    def _service(
        self,
        settings: Settings,
        spec: ServiceSpec,
        networks: Sequence[Network],
        alias: str,
        image: docker.RemoteImage | None,
    ) -> None:
        Service(
            "vitalstream:demo:Service",
            settings,
            spec,
            [replace(network, aliases=(alias,)) for network in networks],
            pulumi.ResourceOptions(parent=self),
            image=image,
        )
