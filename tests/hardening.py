"""Section 5 of the CIS Docker benchmark, asked of a running container by `docker inspect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Attrs = Mapping[str, Any]
EXCEPTIONS_FILE = Path(__file__).parent / "hardening-exceptions.yml"
PRIVILEGED_PORTS = range(1024)
# A mount of one of these, or of what is in it, shows or changes the host itself.
HOST_PATHS = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr")


@dataclass(frozen=True)
class Item:
    """`number` and `title` are the benchmark's (v1.6.0); `met` looks at what inspect shows."""

    number: str
    title: str
    met: Callable[[Attrs], bool]


def _host(attrs: Attrs) -> dict[str, Any]:
    found: dict[str, Any] = attrs["HostConfig"]
    return found


def _own_namespace(kind: str) -> Callable[[Attrs], bool]:
    return lambda attrs: not str(_host(attrs)[kind]).startswith(("host", "container"))


def _bindings(attrs: Attrs) -> list[dict[str, str]]:
    return [found for ports in _host(attrs)["PortBindings"].values() for found in ports]


def _mounted(attrs: Attrs) -> list[str]:
    return [mount["Source"] for mount in attrs["Mounts"] if mount["Type"] == "bind"]


def _without_sensitive_mounts(attrs: Attrs) -> bool:
    return not any(
        path == host or (host != "/" and path.startswith(f"{host}/"))
        for path in _mounted(attrs)
        for host in HOST_PATHS
    )


def _processes(attrs: Attrs) -> list[str]:
    command = [*(attrs["Config"]["Entrypoint"] or []), *(attrs["Config"]["Cmd"] or [])]
    return [Path(word).name for word in command]


def _unconfined(attrs: Attrs, what: str) -> bool:
    options = _host(attrs)["SecurityOpt"] or []
    return any(option.startswith(what) and "unconfined" in option for option in options)


def _on_named_interface(attrs: Attrs) -> bool:
    return all(found["HostIp"] not in ("", "0.0.0.0", "::") for found in _bindings(attrs))


def _ulimits(attrs: Attrs) -> set[str]:
    return {found["Name"] for found in _host(attrs)["Ulimits"] or []}


ITEMS = (
    Item("5.1", "AppArmor profile is enabled", lambda a: not _unconfined(a, "apparmor")),
    Item(
        "5.2",
        "SELinux security options are not disabled",
        lambda a: "label=disable" not in (_host(a)["SecurityOpt"] or []),
    ),
    Item(
        "5.3",
        "Linux kernel capabilities are restricted",
        lambda a: _host(a)["CapDrop"] == ["ALL"] and not _host(a)["CapAdd"],
    ),
    Item("5.4", "not privileged", lambda a: not _host(a)["Privileged"]),
    Item("5.5", "no sensitive host directories are mounted", _without_sensitive_mounts),
    Item("5.6", "sshd does not run", lambda a: "sshd" not in _processes(a)),
    Item(
        "5.7",
        "no privileged port is mapped",
        lambda a: all(int(found["HostPort"]) not in PRIVILEGED_PORTS for found in _bindings(a)),
    ),
    Item(
        "5.8",
        "only needed ports are open",
        lambda a: not _host(a)["PublishAllPorts"] and len(_bindings(a)) <= 1,
    ),
    Item("5.9", "not in the host's network namespace", _own_namespace("NetworkMode")),
    Item("5.10", "memory is limited", lambda a: _host(a)["Memory"] > 0),
    Item("5.11", "CPU is limited", lambda a: _host(a)["NanoCpus"] > 0),
    Item("5.12", "the root file system is read-only", lambda a: bool(_host(a)["ReadonlyRootfs"])),
    Item("5.13", "ports are bound to a named interface", _on_named_interface),
    Item(
        "5.14",
        "restart policy is on-failure:5",
        lambda a: _host(a)["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 5},
    ),
    Item("5.15", "not in the host's PID namespace", _own_namespace("PidMode")),
    Item("5.16", "not in the host's IPC namespace", _own_namespace("IpcMode")),
    Item("5.17", "no host device", lambda a: not _host(a)["Devices"]),
    Item("5.18", "ulimits are set", lambda a: {"nofile", "nproc"} <= _ulimits(a)),
    Item(
        "5.19",
        "mount propagation is not shared",
        lambda a: all(
            mount.get("Propagation") not in ("shared", "rshared") for mount in a["Mounts"]
        ),
    ),
    Item("5.20", "not in the host's UTS namespace", _own_namespace("UTSMode")),
    Item("5.21", "the default seccomp profile is on", lambda a: not _unconfined(a, "seccomp")),
    Item("5.24", "the default cgroup is used", lambda a: not _host(a)["CgroupParent"]),
    Item(
        "5.25",
        "no new privileges",
        lambda a: "no-new-privileges:true" in (_host(a)["SecurityOpt"] or []),
    ),
    Item(
        "5.26",
        "health is checked",
        lambda a: (a["Config"].get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"],
    ),
    Item("5.28", "the PIDs cgroup limit is used", lambda a: (_host(a)["PidsLimit"] or 0) > 0),
    Item(
        "5.29",
        "not on docker0",
        lambda a: "bridge" not in a["NetworkSettings"]["Networks"],
    ),
    Item("5.30", "not in the host's user namespace", _own_namespace("UsernsMode")),
    Item(
        "5.31",
        "the Docker socket is not mounted",
        lambda a: not any("docker.sock" in path for path in _mounted(a)),
    ),
    Item(
        "4.1",
        "the user is not root",
        lambda a: a["Config"]["User"].split(":")[0] not in ("", "0", "root"),
    ),
)


@dataclass(frozen=True)
class Finding:
    """Benchmark item that a container does not meet."""

    number: str
    service: str


def findings(service: str, attrs: Attrs) -> Iterator[Finding]:
    for item in ITEMS:
        if not item.met(attrs):
            yield Finding(item.number, service)


def exceptions() -> dict[Finding, str]:
    """Return accepted findings and their reasons; `services: all` is Finding's service `*`."""
    found = {}
    for entry in yaml.safe_load(EXCEPTIONS_FILE.read_text()):
        for service in ["*"] if entry["services"] == "all" else entry["services"]:
            found[Finding(entry["item"], service)] = entry["reason"]
    return found


def accepted(finding: Finding) -> bool:
    allowed = exceptions()
    return finding in allowed or Finding(finding.number, "*") in allowed
