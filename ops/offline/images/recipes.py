"""Recipe of each local image: Debian packages, the user, the official image's paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

REPOSITORY_PREFIX = "vitalstream-local"
LABEL = "vitalstream.local-image"
ENTRYPOINTS = Path(__file__).parent / "entrypoints"

# Present in every image: a shell with `sleep` and `touch` for health checks, and the certificate
# authorities that an HTTPS client needs.
BASE_PACKAGES = ("busybox", "ca-certificates")

SHELL_COMMANDS = (
    *("sh", "cat", "chmod", "cp", "date", "env", "find", "grep", "head", "hostname", "id"),
    *("kill", "ln", "ls", "mkdir", "mktemp", "mv", "pwd", "rm", "rmdir", "sed"),
    *("sleep", "sort", "stat", "tail", "tar", "tee", "test", "touch", "tr", "true", "wc"),
)
# What BusyBox has beyond Debian's slim images.
BUSYBOX_COMMANDS = ("nc", "ps", "wget")

# Needed only by maintainer scripts, which are not run, or by features that are left out
# (PostgreSQL's JIT compiler alone is 120 MB unpacked). apt treats these as installed.
LEFT_OUT = (
    *("adduser", "daemon", "debconf", "dpkg", "init-system-helpers", "javascript-common"),
    *("libc-l10n", "libcap2-bin", "libjson-perl", "libllvm19"),
    *("libpam-modules", "locales", "lsb-base", "openssl", "passwd", "perl", "perl-base"),
    *("postgresql-client-common", "postgresql-common", "readline-common", "sensible-utils"),
    *("ssl-cert", "sysvinit-utils", "tar", "ucf", "usrmerge"),
)


class Tools(Enum):
    """Shell and HTTP client that an official image has: docs/reference/versions.md."""

    BUSYBOX = ("of prometheus/busybox: wget with BusyBox' own TLS", (), BUSYBOX_COMMANDS)
    # BusyBox asks over TLS through the program `openssl`, as Alpine's does through the library.
    ALPINE = ("of Alpine: wget with OpenSSL's TLS", ("openssl",), BUSYBOX_COMMANDS)
    SLIM = ("of Debian's slim images: no client", (), ())

    def __init__(self, _: str, packages: tuple[str, ...], commands: tuple[str, ...]) -> None:
        self.packages = packages
        self.commands = (*SHELL_COMMANDS, *commands)


@dataclass(frozen=True)
class OwnedDirectory:
    """Directory that belongs to the image's user."""

    path: str
    mode: int = 0o755


@dataclass(frozen=True)
class Recipe:
    """One image.

    ``tag_package`` is a pattern of the package whose upstream version becomes the image's tag;
    ``{major}`` in ``environment`` stands for that version's first number. ``links`` maps a path in
    the image to what it points to, ``files`` to a file of ``entrypoints/``. With ``demo`` the image
    also has what demo/requirements.txt lists, for the Python of that package.
    """

    packages: tuple[str, ...]
    tag_package: str
    tools: Tools
    user: str
    uid: int
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    workdir: str = "/"
    directories: tuple[OwnedDirectory, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stop_signal: str | None = None
    demo: bool = False

    @property
    def all_packages(self) -> tuple[str, ...]:
        return (*BASE_PACKAGES, *self.tools.packages, *self.packages)


def _of_prometheus(package: str, **more: Any) -> Recipe:
    """Return the recipe of an image like those of the Prometheus project."""
    return Recipe((package,), package, Tools.BUSYBOX, user="nobody", uid=65534, **more)


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A dict: tests of further services add their own.
RECIPES: dict[str, Recipe] = {
    "prometheus": _of_prometheus(
        "prometheus",
        entrypoint=("/bin/prometheus",),
        command=(
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
        ),
        workdir="/prometheus",
        directories=(OwnedDirectory("/etc/prometheus"), OwnedDirectory("/prometheus")),
    ),
    "alertmanager": _of_prometheus(
        "prometheus-alertmanager",
        entrypoint=("/bin/alertmanager",),
        command=(
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
        ),
        workdir="/alertmanager",
        directories=(OwnedDirectory("/etc/alertmanager"), OwnedDirectory("/alertmanager")),
        links={"/usr/bin/alertmanager": "prometheus-alertmanager"},
    ),
    "haproxy": Recipe(
        packages=("haproxy",),
        tag_package="haproxy",
        tools=Tools.ALPINE,
        user="haproxy",
        uid=99,
        command=("haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"),
        directories=(OwnedDirectory("/usr/local/etc/haproxy"),),
        links={"/usr/local/sbin/haproxy": "/usr/sbin/haproxy"},
        stop_signal="SIGUSR1",
    ),
    "node-exporter": _of_prometheus(
        "prometheus-node-exporter",
        entrypoint=("/bin/node_exporter",),
        links={"/usr/bin/node_exporter": "prometheus-node-exporter"},
    ),
    "postgres-exporter": _of_prometheus(
        "prometheus-postgres-exporter",
        entrypoint=("/bin/postgres_exporter",),
        links={"/usr/bin/postgres_exporter": "prometheus-postgres-exporter"},
    ),
    "redis-exporter": Recipe(
        packages=("prometheus-redis-exporter",),
        tag_package="prometheus-redis-exporter",
        tools=Tools.ALPINE,
        user="redis_exporter",
        uid=59000,
        entrypoint=("/redis_exporter",),
        links={"/redis_exporter": "usr/bin/prometheus-redis-exporter"},
    ),
    "blackbox-exporter": _of_prometheus(
        "prometheus-blackbox-exporter",
        entrypoint=("/bin/blackbox_exporter",),
        command=("--config.file=/etc/blackbox_exporter/config.yml",),
        links={
            "/usr/bin/blackbox_exporter": "prometheus-blackbox-exporter",
            "/etc/blackbox_exporter/config.yml": "/etc/prometheus/blackbox.yml",
        },
    ),
    "postgres": Recipe(
        packages=("postgresql", "libc-bin"),
        tag_package=r"postgresql-\d+",
        tools=Tools.SLIM,
        user="postgres",
        uid=999,
        entrypoint=("/usr/local/bin/docker-entrypoint.sh",),
        command=("postgres",),
        directories=(
            OwnedDirectory("/docker-entrypoint-initdb.d"),
            OwnedDirectory("/run/postgresql", 0o3777),
            OwnedDirectory("/var/lib/postgresql"),
            OwnedDirectory("/var/lib/postgresql/data", 0o1777),
        ),
        files={"/usr/local/bin/docker-entrypoint.sh": "postgres.sh"},
        # The usual SIGTERM would have PostgreSQL wait for its clients to leave.
        stop_signal="SIGINT",
        environment={
            "LANG": "C.UTF-8",
            "PATH": f"{PATH}:/usr/lib/postgresql/{{major}}/bin",
            "PGDATA": "/var/lib/postgresql/data",
        },
    ),
    "redis": Recipe(
        packages=("redis-server",),
        tag_package="redis-server",
        tools=Tools.ALPINE,
        user="redis",
        uid=999,
        entrypoint=("/usr/local/bin/docker-entrypoint.sh",),
        command=("redis-server",),
        workdir="/data",
        directories=(OwnedDirectory("/data"),),
        files={"/usr/local/bin/docker-entrypoint.sh": "redis.sh"},
    ),
    "python": Recipe(
        packages=("python3", "python3-pip", "libc-bin"),
        tag_package=r"python3\.\d+",
        tools=Tools.SLIM,
        user="root",
        uid=0,
        command=("python3",),
        links={"/usr/local/bin/python": "/usr/bin/python3"},
        environment={"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        demo=True,
    ),
}
