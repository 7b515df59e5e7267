"""Compose project with the stack's images, limits, health checks and files, for comparison.

Left out is what Compose does not do: Grafana's folder, data source and dashboards, the checks of
the configuration, and the build of the demo's image, which exists already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.projects import UP_SECONDS, BenchmarkError
from components.docker.volume_files import PUBLIC_MODE, SECRET_MODE
from ops.offline import program
from ops.offline.local_deploy.creator import CONFIG_FILES
from ops.offline.local_deploy.plan import CONTAINER, IMAGE, NETWORK, VOLUME
from ops.offline.program import Registration, unwrap

# Options of the provider: Compose has `--wait` and stop_grace_period instead.
NOT_COMPOSE = frozenset(("wait", "waitTimeout", "destroyGraceSeconds"))
RENAMED = {
    "command": "command",
    "cpus": "cpus",
    "dnsOpts": "dns_opt",
    "entrypoints": "entrypoint",
    "envs": "environment",
    "groupAdds": "group_add",
    "image": "image",
    "init": "init",
    "name": "container_name",
    "pidMode": "pid",
    "readOnly": "read_only",
    "restart": "restart",
    "securityOpts": "security_opt",
    "stopSignal": "stop_signal",
    "user": "user",
    "workingDir": "working_dir",
}
REBUILT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "capabilities": lambda value: {
        "cap_add": value.get("adds") or [],
        "cap_drop": value.get("drops") or [],
    },
    "healthcheck": lambda value: {
        "healthcheck": {
            "test": value["tests"],
            "interval": value["interval"],
            "timeout": value["timeout"],
            "start_period": value["startPeriod"],
            "retries": value["retries"],
            # From Docker 25 on, 5 s where it is not set; what is rendered suits older ones.
            "start_interval": value["interval"],
        }
    },
    "labels": lambda value: {"labels": _labels(value)},
    "logDriver": lambda value: {"logging": {"driver": value}},
    "memory": lambda value: {"mem_limit": f"{value}m"},
    "memorySwap": lambda value: {"memswap_limit": f"{value}m"},
    "networksAdvanced": lambda value: {
        "networks": {found["name"]: {"aliases": found["aliases"]} for found in value}
    },
    "ports": lambda value: {
        "ports": [
            f"{port['ip']}:{port['external']}:{port['internal']}/{port['protocol']}"
            for port in value
        ]
    },
    "stopTimeout": lambda value: {"stop_grace_period": f"{value}s"},
    "tmpfs": lambda value: {"tmpfs": [f"{path}:{options}" for path, options in value.items()]},
    "ulimits": lambda value: {
        "ulimits": {
            entry["name"]: {"soft": entry["soft"], "hard": entry["hard"]} for entry in value
        }
    },
}
# Built from more than one input.
SPECIAL = frozenset(("logOpts", "mounts"))


def missing() -> str:
    """Return why Compose cannot be compared with here, empty where it can."""
    if shutil.which("docker"):
        answer = subprocess.run(
            ["docker", "compose", "version"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0:
            return ""
    return "`docker compose version` fails: there is no Compose plugin here"


class ComposeProject:
    """`docker compose up --wait` of a stack, from a compose.yaml written to `folder`."""

    def __init__(
        self, folder: Path, stack: str, config: program.StackConfig, *, start_interval: bool
    ) -> None:
        file = folder / "compose.yaml"
        self._command = ["docker", "compose", "--project-name", stack, "--file", str(file)]
        folder.mkdir()
        registrations = program.run(stack, config, _with_image_names)
        content = compose_file(registrations, folder)
        if not start_interval:
            for service in content["services"].values():
                del service["healthcheck"]["start_interval"]
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    def up_and_remove(self) -> float:
        """Return the seconds until everything is healthy. Raises BenchmarkError."""
        started = time.monotonic()
        self._run("up", "--detach", "--wait", "--pull", "never")
        seconds = time.monotonic() - started
        self._run("down", "--volumes")
        return seconds

    def _run(self, *arguments: str) -> None:
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                capture_output=True,
                text=True,
                timeout=UP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchmarkError(
                f"`docker compose {arguments[0]}` took more than {UP_SECONDS} s"
            ) from None
        if done.returncode != 0:
            # The other lines report each step of each container.
            *_, last = done.stderr.strip().splitlines() or ["no output"]
            raise BenchmarkError(f"`docker compose {arguments[0]}` failed: {last.strip()}")


def compose_file(registrations: Sequence[Registration], folder: Path) -> dict[str, Any]:
    """Return the content of compose.yaml; the files of `ConfigFiles` are written below `folder`.

    Raises BenchmarkError where a container would lose one of its properties.
    """
    inputs = [(found, unwrap(found.inputs)) for found in registrations]
    folders = {
        values["volume"]: _write_files(values, folder)
        for found, values in inputs
        if found.type == CONFIG_FILES
    }
    volumes = [values for found, values in inputs if found.type == VOLUME]
    return {
        "services": {
            found.name: _service(values, found.dependencies, folders)
            for found, values in inputs
            if found.type == CONTAINER
        },
        "networks": _named([values for found, values in inputs if found.type == NETWORK]),
        "volumes": _named([values for values in volumes if values["name"] not in folders]),
    }


def _with_image_names(registration: Registration) -> tuple[str, dict[str, Any]]:
    inputs = registration.inputs
    if registration.type == IMAGE:
        inputs = {**inputs, "imageId": inputs["name"]}
    return f"{registration.name}-id", inputs


def _named(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        inputs["name"]: {
            "name": inputs["name"],
            "labels": _labels(inputs.get("labels") or []),
            **{key: inputs[key] for key in ("driver", "internal") if inputs.get(key)},
        }
        for inputs in found
    }


def _service(
    inputs: Mapping[str, Any], dependencies: Sequence[str], folders: Mapping[str, Path]
) -> dict[str, Any]:
    given = {key: value for key, value in inputs.items() if value not in (None, [], {}, "")}
    if unknown := sorted(set(given) - set(REBUILT) - set(RENAMED) - SPECIAL - NOT_COMPOSE):
        raise BenchmarkError(f"compose.yaml cannot express {', '.join(unknown)}.")
    made: dict[str, Any] = {RENAMED[key]: value for key, value in given.items() if key in RENAMED}
    for key, rebuild in REBUILT.items():
        if key in given:
            made |= rebuild(given[key])
    if "logOpts" in given:
        made["logging"]["options"] = given["logOpts"]
    made["volumes"] = [_mount(mount, folders) for mount in given.get("mounts", [])]
    # `urn:pulumi:stack::project::parentType$type::name`: containers that must be healthy first.
    urns = [urn.split("::") for urn in dependencies]
    needs = sorted(name for _, _, types, name in urns if types.endswith(f"${CONTAINER}"))
    made["depends_on"] = {name: {"condition": "service_healthy"} for name in needs}
    escaped: dict[str, Any] = _escaped(made)
    return escaped


def _labels(entries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {entry["label"]: entry["value"] for entry in entries}


def _mount(mount: Mapping[str, Any], folders: Mapping[str, Path]) -> dict[str, Any]:
    files = folders.get(mount["source"])
    return {
        "type": "bind" if files else mount["type"],
        "source": str(files or mount["source"]),
        "target": mount["target"],
        "read_only": mount.get("readOnly") or False,
    }


def _write_files(inputs: Mapping[str, Any], folder: Path) -> Path:
    """Write the files as the service finds them in its volume, and return their folder."""
    target = folder / str(inputs["volume"])
    for texts, mode in ((inputs["files"], PUBLIC_MODE), (inputs["secret_files"], SECRET_MODE)):
        for path, text in texts.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            if os.geteuid() == 0:
                os.chown(file, int(inputs["uid"]), int(inputs["uid"]))
                file.chmod(mode)
            else:
                # Only root can change the owner. The folder above is private to this user.
                file.chmod(PUBLIC_MODE)
    return target


def _escaped(value: Any) -> Any:
    """Escape `$`, which Compose would expand as a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return value
