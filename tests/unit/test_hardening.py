"""Checks of the CIS benchmark: each detects its own weakness."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests import hardening

HARDENED: dict[str, Any] = {
    "Config": {
        "Cmd": ["--config.file=/etc/prometheus/prometheus.yml"],
        "Entrypoint": ["/bin/prometheus"],
        "Healthcheck": {"Test": ["CMD-SHELL", "wget"]},
        "User": "65534:65534",
    },
    "HostConfig": {
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "CgroupParent": "",
        "Devices": None,
        "IpcMode": "private",
        "Memory": 2**30,
        "NanoCpus": 10**9,
        "NetworkMode": "vitalstream-dev-grafana",
        "PidMode": "",
        "PidsLimit": 512,
        "PortBindings": {"9090/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}]},
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "SecurityOpt": ["no-new-privileges:true"],
        "UTSMode": "",
        "Ulimits": [{"Name": "nofile"}, {"Name": "nproc"}],
        "UsernsMode": "",
    },
    "Mounts": [{"Type": "volume", "Source": "data", "Propagation": ""}],
    "NetworkSettings": {"Networks": {"vitalstream-dev-grafana": {}}},
}
EXTRA_PORT = {"9090/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9090"}] * 2}
CARELESS: dict[str, tuple[str, str, Any]] = {
    "5.1": ("HostConfig", "SecurityOpt", ["no-new-privileges:true", "apparmor=unconfined"]),
    "5.2": ("HostConfig", "SecurityOpt", ["no-new-privileges:true", "label=disable"]),
    "5.3": ("HostConfig", "CapAdd", ["NET_ADMIN"]),
    "5.4": ("HostConfig", "Privileged", True),
    "5.5": ("", "Mounts", [{"Type": "bind", "Source": "/etc/ssl", "Propagation": "rprivate"}]),
    "5.6": ("Config", "Cmd", ["/usr/sbin/sshd", "-D"]),
    "5.7": ("HostConfig", "PortBindings", {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}),
    "5.8": ("HostConfig", "PortBindings", EXTRA_PORT),
    "5.9": ("HostConfig", "NetworkMode", "host"),
    "5.10": ("HostConfig", "Memory", 0),
    "5.11": ("HostConfig", "NanoCpus", 0),
    "5.12": ("HostConfig", "ReadonlyRootfs", False),
    "5.13": ("HostConfig", "PortBindings", {"90/tcp": [{"HostIp": "", "HostPort": "9090"}]}),
    "5.14": ("HostConfig", "RestartPolicy", {"Name": "always", "MaximumRetryCount": 0}),
    "5.15": ("HostConfig", "PidMode", "host"),
    "5.16": ("HostConfig", "IpcMode", "host"),
    "5.17": ("HostConfig", "Devices", [{"PathOnHost": "/dev/sda"}]),
    "5.18": ("HostConfig", "Ulimits", None),
    "5.19": ("", "Mounts", [{"Type": "bind", "Source": "/srv", "Propagation": "rshared"}]),
    "5.20": ("HostConfig", "UTSMode", "host"),
    "5.21": ("HostConfig", "SecurityOpt", ["no-new-privileges:true", "seccomp=unconfined"]),
    "5.24": ("HostConfig", "CgroupParent", "/other"),
    "5.25": ("HostConfig", "SecurityOpt", None),
    "5.26": ("Config", "Healthcheck", {"Test": ["NONE"]}),
    "5.28": ("HostConfig", "PidsLimit", None),
    "5.29": ("NetworkSettings", "Networks", {"bridge": {}}),
    "5.30": ("HostConfig", "UsernsMode", "host"),
    "5.31": ("", "Mounts", [{"Type": "bind", "Source": "/run/docker.sock", "Propagation": ""}]),
    "4.1": ("Config", "User", ""),
}


def test_hardened_container_meets_every_item() -> None:
    assert list(hardening.findings("prometheus", HARDENED)) == []


@pytest.mark.parametrize("number", [item.number for item in hardening.ITEMS])
def test_container_with_one_weakness_fails_its_item(number: str) -> None:
    part, key, value = CARELESS[number]
    attrs = copy.deepcopy(HARDENED)
    (attrs[part] if part else attrs)[key] = value
    assert number in {finding.number for finding in hardening.findings("prometheus", attrs)}
