"""Creation of a container from the Docker provider's properties."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

import docker
import docker.errors
from docker.types import LogConfig, Mount, Ulimit

from ops.offline.local_deploy.errors import LocalDeployError, StoppedError, docker_message
from ops.offline.local_deploy.resources import labels

MEBIBYTE = 2**20
UNLIMITED_SWAP = -1
DEFAULT_WAIT_SECONDS = 60
POLL_SECONDS = 0.1
LOG_LINES = 15
# A service that cannot start is restarted at once: no need to wait for the time limit.
RESTARTS_TO_GIVE_UP = 3

# Options of the provider itself, which the engine never sees.
_PROVIDERS_OWN = ("destroyGraceSeconds", "wait", "waitTimeout")
_KNOWN_NETWORK = frozenset(("aliases", "ipv4Address", "name"))
_KNOWN_MOUNT = frozenset(("bindOptions", "readOnly", "source", "target", "type"))

_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[hms])")


def create(
    client: docker.DockerClient,
    inputs: Mapping[str, Any],
    stop: Event,
    report: Callable[[str], None],
) -> str:
    """Create and start a container, wait for its health if configured, and return its id.

    Raises LocalDeployError, with the end of the container's log if it does not become healthy.
    """
    name = inputs["name"]
    networks = inputs.get("networksAdvanced") or []
    started = time.monotonic()
    try:
        made = client.api.create_container(**arguments(client, inputs))
        # Engine 20.10 takes one network at creation; connected before the start, the others count
        # just as much.
        for network in networks[1:]:
            client.api.connect_container_to_network(
                made["Id"], network["name"], **_endpoint(network)
            )
        client.api.start(made["Id"])
    except docker.errors.APIError as error:
        raise LocalDeployError(f"Docker does not start {name}: {docker_message(error)}") from error
    if inputs.get("wait"):
        _wait_until_healthy(
            client, made["Id"], name, inputs.get("waitTimeout") or DEFAULT_WAIT_SECONDS, stop
        )
        report(f"{name} healthy after {time.monotonic() - started:.1f} s")
    return str(made["Id"])


def arguments(client: docker.DockerClient, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the Docker API. Raises LocalDeployError for an unknown input."""
    left = {key: value for key, value in inputs.items() if key not in _PROVIDERS_OWN}

    def take(name: str) -> Any:
        return left.pop(name, None)

    capabilities = take("capabilities") or {}
    ports = take("ports") or []
    networks = take("networksAdvanced") or []
    first_network: Any = {
        network["name"]: client.api.create_endpoint_config(**_endpoint(network))
        for network in networks[:1]
    }
    host_config = client.api.create_host_config(
        cap_add=capabilities.get("adds"),
        cap_drop=capabilities.get("drops"),
        devices=[
            f"{entry['hostPath']}:{entry['containerPath']}:{entry['permissions']}"
            for entry in take("devices") or []
        ],
        dns_opt=take("dnsOpts"),
        extra_hosts={entry["host"]: entry["ip"] for entry in take("hosts") or []},
        group_add=take("groupAdds"),
        init=take("init"),
        log_config=LogConfig(type=take("logDriver") or "json-file", config=take("logOpts") or {}),
        mem_limit=_bytes(take("memory")),
        memswap_limit=_bytes(take("memorySwap")),
        mounts=[_mount(entry) for entry in take("mounts") or []],
        nano_cpus=round(float(take("cpus") or 0) * 1e9) or None,
        network_mode=networks[0]["name"] if networks else None,
        pid_mode=take("pidMode"),
        port_bindings=_port_bindings(ports),
        read_only=take("readOnly"),
        restart_policy={
            "Name": take("restart") or "no",
            "MaximumRetryCount": take("maxRetryCount") or 0,
        },
        security_opt=take("securityOpts"),
        shm_size=_bytes(take("shmSize")),
        tmpfs=take("tmpfs"),
        ulimits=[Ulimit(**entry) for entry in take("ulimits") or []],
    )
    made = {
        "image": take("image"),
        "name": take("name"),
        "command": take("command"),
        "entrypoint": take("entrypoints"),
        "environment": take("envs"),
        "healthcheck": _health_check(take("healthcheck")),
        "host_config": host_config,
        "labels": labels({"labels": take("labels")}),
        "networking_config": client.api.create_networking_config(first_network),
        "ports": [(port["internal"], port.get("protocol") or "tcp") for port in ports],
        "stop_signal": take("stopSignal"),
        "stop_timeout": take("stopTimeout"),
        "user": take("user"),
        "working_dir": take("workingDir"),
        # Docker's client settings of this user do not belong into the stack.
        "use_config_proxy": False,
    }
    _refuse_unknown("container", left)
    return made


def nanoseconds(duration: str) -> int:
    """Convert a Go duration (`1m30s`, `1.5s`) to nanoseconds."""
    return round(
        1e9 * sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(duration))
    )


def _endpoint(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the aliases and address in a network."""
    _refuse_unknown("network", network, _KNOWN_NETWORK)
    return {"aliases": network.get("aliases"), "ipv4_address": network.get("ipv4Address")}


def _refuse_unknown(
    what: str, inputs: Mapping[str, Any], known: frozenset[str] = frozenset()
) -> None:
    if unknown := sorted(set(inputs) - known):
        raise LocalDeployError(
            f"The local deploy does not support the {what} property {', '.join(unknown)}."
        )


def _bytes(mebibytes: int | None) -> int | None:
    if mebibytes is None or mebibytes == UNLIMITED_SWAP:
        return mebibytes
    return mebibytes * MEBIBYTE


def _mount(entry: Mapping[str, Any]) -> Mount:
    _refuse_unknown("mount", entry, _KNOWN_MOUNT)
    return Mount(
        target=entry["target"],
        source=entry.get("source"),
        type=entry["type"],
        read_only=entry.get("readOnly") or False,
        propagation=(entry.get("bindOptions") or {}).get("propagation"),
    )


def _port_bindings(ports: list[Mapping[str, Any]]) -> dict[int | str, Any]:
    bindings: dict[int | str, Any] = {}
    for port in ports:
        inside = f"{port['internal']}/{port.get('protocol') or 'tcp'}"
        outside = (port.get("ip") or "0.0.0.0", port.get("external"))
        bindings.setdefault(inside, []).append(outside)
    return bindings


def _health_check(inputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not inputs:
        return None
    return {
        "test": inputs["tests"],
        **{
            ours: nanoseconds(inputs[theirs])
            for ours, theirs in (
                ("interval", "interval"),
                ("timeout", "timeout"),
                ("start_period", "startPeriod"),
            )
            if inputs.get(theirs)
        },
        **({"retries": inputs["retries"]} if inputs.get("retries") else {}),
    }


def _wait_until_healthy(
    client: docker.DockerClient, container: str, name: str, seconds: float, stop: Event
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = client.api.inspect_container(container)
        state = found["State"]
        health = (state.get("Health") or {}).get("Status")
        if health == "healthy" or (health is None and state["Running"]):
            return
        if found["RestartCount"] >= RESTARTS_TO_GIVE_UP or state["Status"] in ("exited", "dead"):
            fault = f"{name} does not stay up: it ended with status {state['ExitCode']}"
            break
        if time.monotonic() >= deadline:
            fault = f"{name} is not healthy after {seconds:g} s"
            if checks := (state.get("Health") or {}).get("Log"):
                said = checks[-1]["Output"].strip() or f"status {checks[-1]['ExitCode']}"
                fault += f" (its health check: {said})"
            break
        if stop.wait(POLL_SECONDS):
            raise StoppedError(f"{name} was not waited for.")
    words = client.api.logs(container, tail=LOG_LINES).decode(errors="replace").strip()
    raise LocalDeployError(f"{fault}. End of its log:\n{words or '(none)'}")
