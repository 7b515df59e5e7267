"""Check, write, apply and read back the configuration files of a container."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from components.common.redaction import redact
from components.docker.connection import ConfigFilesError, connect_to
from components.docker.volume_files import PUBLIC_MODE, SECRET_MODE, File, Volume

# Prometheus gives each remote write receiver that is removed or changed a minute to take pending
# samples, one receiver after the other; removing an unreachable one takes that long.
RELOAD_SECONDS = 150
RESTART_SECONDS = 60
# Alertmanager says that it has loaded its configuration, and only then applies it.
APPLY_SECONDS = 0.3
LOG_LINES = 200

# What Prometheus, Alertmanager and blackbox_exporter (the second) log at a reload, in every
# supported version. Their metrics say it as well, but no tool in their images can ask for those
# over TLS and with a password.
_TAKEN = ("Completed loading of configuration file", "Reloaded config file")
_NOT_TAKEN = (
    "Error reloading config",
    "Loading configuration file failed",
    "failed to apply new config",
)


def refusal(props: Mapping[str, Any]) -> str | None:
    """Return why the service's own checker refuses the files, or why it cannot be asked.

    None where it takes them, and before the first `up`, when the image may be missing: `apply`
    checks then.
    """
    try:
        return _refusal(props, connect_to(props))
    except docker.errors.ImageNotFound:
        return None
    except ConfigFilesError as error:
        return str(error)


def apply(news: Mapping[str, Any], olds: Mapping[str, Any]) -> None:
    """Write the files and make the running container use what changed. Raises ConfigFilesError."""
    client = connect_to(news)
    if words := _refusal(news, client):
        raise ConfigFilesError(words)
    volume = _volume(news, client)
    for name, place in _owned(news).items():
        volume.own(name, place)
    volume.put(_files(news))
    if changed := _changed_files(news, olds):
        _activate(news, changed, client)


def read(props: dict[str, Any]) -> dict[str, Any] | None:
    """Return the properties with the files as they are; None where the volume is gone.

    The files cannot be read without the image, which `up` pulls: no change is assumed.
    """
    try:
        volume = _volume(props, connect_to(props))
        found = volume.read()
        owned = {at: to for at, to in _owned(props).items() if volume.owns(at, to)}
    except docker.errors.ImageNotFound:
        return props
    except docker.errors.NotFound:
        return None
    secret = props["secret_files"]
    return {
        **props,
        "files": {path: text for path, text in found.items() if path not in secret},
        "secret_files": {path: text for path, text in found.items() if path in secret},
        **({"owned": owned} if _owned(props) else {}),
    }


def _files(props: Mapping[str, Any]) -> dict[str, File]:
    return {
        **{path: File(text, PUBLIC_MODE) for path, text in props["files"].items()},
        **{path: File(text, SECRET_MODE) for path, text in props["secret_files"].items()},
    }


def _owned(props: Mapping[str, Any]) -> Mapping[str, str]:
    return props.get("owned") or {}


def _changed_files(news: Mapping[str, Any], olds: Mapping[str, Any]) -> set[str]:
    """Return the paths of files that are new, changed or removed."""
    before, now = (
        {**props.get("files", {}), **props.get("secret_files", {})} for props in (olds, news)
    )
    return {path for path in {*before, *now} if before.get(path) != now.get(path)}


def _volume(props: Mapping[str, Any], client: docker.DockerClient) -> Volume:
    return Volume(client, props["volume"], props["target"], props["image"], int(props["uid"]))


def _refusal(props: Mapping[str, Any], client: docker.DockerClient) -> str | None:
    if not props["checker"]:
        return None
    words = _volume(props, client).check(_files(props), props["checker"])
    if words is None:
        return None
    for text in props["secret_files"].values():
        words = words.replace(text.strip(), "[secret]") if text.strip() else words
    # promtool prints a paragraph for each file; those about valid files would bury the others.
    faults = [part for part in words.split("\n\n") if "SUCCESS" not in part or "FAILED" in part]
    words = "\n\n".join(faults) or words
    checker = " ".join(props["checker"])
    return redact(f"{checker} refuses these files; what runs stays as it was.\n{words}")


def _activate(props: Mapping[str, Any], changed: set[str], client: docker.DockerClient) -> None:
    """Make the running container use the new files; do nothing before its first start."""
    try:
        container = client.containers.get(props["container"])
    except docker.errors.NotFound:
        return
    if container.status != "running":
        return
    ways = [_action(props, path) for path in changed]
    # Commands run first: they need the running service. A restart then reads all files again.
    for command in {tuple(way["run"]) for way in ways if way.get("run")}:
        _run(container, list(command))
    if any(way.get("restart") for way in ways):
        _restart(container)
    elif any(way.get("reload") for way in ways):
        _reload(container)


def _action(props: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the action that makes the service read a change of that file."""
    below: Mapping[str, Mapping[str, Any]] = props.get("on_change_below") or {}
    own = (way for top, way in below.items() if path == top or path.startswith(f"{top}/"))
    how: Mapping[str, Any] = next(own, props["on_change"])
    return how


def _reload(container: Container) -> None:
    """Send SIGHUP and wait until the service logs that it loaded the new configuration."""
    before = max(_log(container), default="")
    container.kill(signal="SIGHUP")
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        taken = _said(container, before, *_TAKEN)
        if taken:
            time.sleep(APPLY_SECONDS)
        if _said(container, before, *_NOT_TAKEN):
            break
        if taken:
            return
        time.sleep(0.1)
    log = container.logs(tail=5).decode(errors="replace").strip()
    raise ConfigFilesError(
        f"{container.name} did not take the new configuration and runs on with the old one. "
        f"The end of its log:\n{log}"
    )


def _said(container: Container, before: str, *words: str) -> bool:
    return any(word in line for line in _log(container) if line > before for word in words)


def _log(container: Container) -> list[str]:
    """Return the last lines, each prefixed with Docker's timestamp, which sorts as text."""
    output = container.logs(timestamps=True, tail=LOG_LINES)
    return output.decode(errors="replace").splitlines()


def _run(container: Container, command: list[str]) -> None:
    status, output = container.exec_run(command)
    assert isinstance(output, bytes)
    if status != 0:
        raise ConfigFilesError(
            f"{container.name}: `{command[0]}` failed with status {status}:\n"
            f"{output.decode(errors='replace').strip()}"
        )


def _restart(container: Container) -> None:
    """Restart a service that reads its files only at start. This costs one or two scrapes."""
    container.restart(timeout=10)
    deadline = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < deadline:
        container.reload()
        if container.health == "healthy":
            return
        time.sleep(0.2)
    raise ConfigFilesError(
        f"{container.name} is not healthy {RESTART_SECONDS} s after its restart. End of its log:\n"
        f"{container.logs(tail=5).decode(errors='replace').strip()}"
    )
