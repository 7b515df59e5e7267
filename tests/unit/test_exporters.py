"""The exporters: what they look at, and with which login."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.catalog.exporters import EXPORTERS
from components.catalog.images import IMAGES
from components.exporters import postgres, redis
from components.exporters.node import (
    HOST_ROOT,
    IGNORED_FILESYSTEMS,
    IGNORED_INTERFACES,
    IGNORED_MOUNT_POINTS,
    LINK_PROC,
    PROC,
)
from components.prometheus.config import SCRAPE_TIMEOUT_SECONDS, scrape_timeout
from components.settings.settings import Settings

SettingsOf = Callable[..., Settings]


def _flags(view: Any, service: str) -> list[str]:
    flags: list[str] = view.containers()[service]["command"]
    return flags


def test_there_are_the_three_of_the_stack() -> None:
    assert {(e.service, e.job, e.port) for e in EXPORTERS} >= {
        ("node-exporter", "node", 9100),
        ("postgres-exporter", "postgres", 9187),
        ("redis-exporter", "redis", 9121),
    }


def test_every_exporter_has_an_image() -> None:
    assert {exporter.service for exporter in EXPORTERS} <= set(IMAGES)


def test_postgres_exporter_reads_its_password_from_a_file(everything_set: Any) -> None:
    files = everything_set.config("postgres-exporter")["secret_files"]
    assert files["password"] == "canary-of-postgres_password-9f3b"


def test_postgres_exporter_connects_where_the_settings_say(settings: SettingsOf) -> None:
    spec = postgres.spec(
        settings(
            postgresAddress="db.example.com:6432",
            postgresDatabase="vitals",
            postgresUser="watcher",
            postgresSslmode="verify-full",
        )
    )
    assert set(spec.container.envs) >= {
        "DATA_SOURCE_URI=db.example.com:6432/vitals?sslmode=verify-full"
        "&lock_timeout=2000&statement_timeout=6000&connect_timeout=3",
        "DATA_SOURCE_USER=watcher",
    }


@pytest.mark.parametrize("interval", ["1s", "5s", "15s", "30s"])
def test_time_outs_of_exporters_leave_the_scrape_time_to_answer(
    interval: str, settings: SettingsOf
) -> None:
    found = settings(scrapeInterval=interval)
    scrape = 1000 * scrape_timeout(found)
    uri = next(env for env in postgres.spec(found).container.envs if "_URI=" in env)
    of_postgres = dict(re.findall(r"(lock|statement)_timeout=(\d+)", uri))
    of_redis = re.findall(
        r"--connection-timeout=(\d+)ms", " ".join(redis.spec(found).container.command)
    )
    # A lock and a slow query in one scrape; redis_exporter may connect twice.
    assert 0 < sum(int(value) for value in of_postgres.values()) < scrape
    assert 0 < 2 * int(of_redis[0]) < scrape


@pytest.mark.parametrize(("user", "flags"), [("", []), ("watcher", ["--redis.user=watcher"])])
def test_redis_exporter_connects_where_and_as_whom_the_settings_say(
    user: str, flags: list[str], settings: SettingsOf
) -> None:
    """A user in the address, without a password there, would be taken for the password."""
    spec = redis.spec(settings(redisAddress="cache:6380", redisUser=user))
    assert next(iter(spec.container.command)) == "--redis.addr=redis://cache:6380"
    assert [flag for flag in spec.container.command if "redis.user" in flag] == flags


@pytest.mark.parametrize(
    ("user", "keys"),
    [
        ("", {"redis://redis:6379"}),
        ("watcher", {"redis://redis:6379", "redis://watcher@redis:6379"}),
    ],
)
def test_redis_exporter_finds_its_password_by_address_and_by_user_and_address(
    user: str, keys: set[str], settings: SettingsOf
) -> None:
    """Older exporters look for the first, newer ones for the second."""
    spec = redis.spec(settings(redisUser=user, redisPassword="canary-of-redis-1"))
    assert spec.files is not None
    assert set(json.loads(spec.files.secret_files["passwords.json"])) == keys


def test_redis_exporter_reads_the_file_that_it_is_given(view: Any) -> None:
    config = view.config("redis-exporter")
    path = f"{config['target']}/{next(iter(config['secret_files']))}"
    assert f"--redis.password-file={path}" in _flags(view, "redis-exporter")


@pytest.mark.parametrize("flag", ["--path.rootfs=/host", "--path.sysfs=/host/sys"])
def test_node_exporter_reads_the_hosts_figures(flag: str, view: Any) -> None:
    assert flag in _flags(view, "node-exporter")


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """What node_exporter gets as its /proc, made by its entrypoint of a host's."""
    host = tmp_path / "host"
    for found in ("proc/1/net", "proc/23", "proc/sys"):
        (host / found).mkdir(parents=True)
    (host / "proc/1/net/dev").write_text("the host's")
    (host / "proc/stat").write_text("the host's")
    (host / "proc/net").symlink_to("self/net")
    proc = tmp_path / "proc"
    script = LINK_PROC.replace(HOST_ROOT, str(host)).replace(PROC, str(proc))
    for _start_and_restart in range(2):
        subprocess.run(["sh", "-c", script, "true"], check=True)
    return proc


@pytest.mark.parametrize("path", ["stat", "net/dev"])
def test_node_exporter_reads_the_hosts_proc(path: str, linked: Path) -> None:
    assert (linked / path).read_text() == "the host's"


def test_node_exporter_sees_no_process_but_the_first(linked: Path) -> None:
    assert sorted(found.name for found in linked.iterdir()) == ["1", "net", "stat", "sys"]


def test_node_exporter_is_what_its_entrypoint_ends_in(view: Any) -> None:
    entrypoint = view.containers()["node-exporter"]["entrypoints"]
    assert entrypoint == ["sh", "-c", LINK_PROC, "/bin/node_exporter"]
    assert LINK_PROC.endswith(' && exec "$0" "$@"')


def test_node_exporter_has_no_figures_of_its_own_network(view: Any) -> None:
    assert "--no-collector.netdev.netlink" in _flags(view, "node-exporter")
    assert f"--path.procfs={PROC}" in _flags(view, "node-exporter")


@pytest.mark.parametrize("name", ["lo", "veth0a1b2c3", "docker0", "br-f3fb4430c293", "cali12"])
def test_what_containers_are_plugged_into_is_no_line_of_the_host(name: str) -> None:
    assert re.search(IGNORED_INTERFACES, name)


@pytest.mark.parametrize("name", ["eth0", "enp3s0", "ens18", "wlan0", "bond0", "br0", "tun0"])
def test_a_line_of_the_host_is_not_left_out(name: str) -> None:
    assert not re.search(IGNORED_INTERFACES, name)


def test_nothing_of_node_exporter_is_configured_by_files_where_it_speaks_plainly(dev: Any) -> None:
    assert "node-exporter-config" not in dev.all("ConfigFiles")


@pytest.mark.parametrize("filesystem", ["tmpfs", "overlay", "squashfs", "proc", "cgroup2"])
def test_what_only_looks_like_a_disk_is_left_out(filesystem: str) -> None:
    assert re.search(IGNORED_FILESYSTEMS, filesystem)


@pytest.mark.parametrize("filesystem", ["ext4", "xfs", "btrfs", "zfs", "nfs4", "vfat"])
def test_a_disk_is_not_left_out(filesystem: str) -> None:
    assert not re.search(IGNORED_FILESYSTEMS, filesystem)


@pytest.mark.parametrize(
    "path",
    [
        "/proc",
        "/run/user/0",
        "/var/lib/docker/overlay2/x/merged",
        "/var/lib/docker/vfs/dir/x",
        "/var/lib/docker/volumes/nfs/_data",
        "/var/lib/containerd/io.containerd.grpc.v1.cri/x",
        "/var/lib/kubelet/pods/x",
    ],
)
def test_mounts_of_kernel_and_containers_are_left_out(path: str) -> None:
    assert re.search(IGNORED_MOUNT_POINTS, path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home",
        "/var/lib/postgresql",
        "/runner",
        "/data/run",
        "/var/lib/docker",
        "/var/lib/docker/volumes",
        "/var/lib/docker-data",
        "/var/lib/containerd",
    ],
)
def test_a_mount_with_data_is_not_left_out(path: str) -> None:
    assert not re.search(IGNORED_MOUNT_POINTS, path)


def test_node_exporter_reads_the_word_of_backups_and_cannot_change_it(view: Any) -> None:
    mounts = view.containers()["node-exporter"]["mounts"]
    inbox = next(mount for mount in mounts if mount["target"] == "/textfile")
    assert "--collector.textfile.directory=/textfile" in _flags(view, "node-exporter")
    assert (inbox["source"], inbox["readOnly"]) == (f"vitalstream-{view.stack}-textfile", True)


@pytest.mark.parametrize("service", ["postgres-exporter", "redis-exporter"])
def test_a_name_that_is_gone_keeps_an_exporter_for_less_than_a_scrape(
    service: str, view: Any
) -> None:
    options = dict(option.split(":") for option in view.containers()[service]["dnsOpts"])
    # redis_exporter looks twice.
    assert 2 * int(options["timeout"]) * int(options["attempts"]) < SCRAPE_TIMEOUT_SECONDS


def test_who_does_not_look_at_the_application_looks_names_up_as_usual(view: Any) -> None:
    quick = {name for name, found in view.containers().items() if found.get("dnsOpts")}
    assert quick == {"postgres-exporter", "redis-exporter"}
