"""What Pulumi runs to create, update and read `ConfigFiles`.

The class stays importable by this name: the state then holds a reference to it instead of its
code, and an edit of the code is no diff.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from components.volume_files import PUBLIC_MODE, SECRET_MODE, File, Volume

RELOAD_SECONDS = 30
RESTART_SECONDS = 60

_COMPARED = (
    "docker_host", "volume", "target", "image", "uid", "container",
    "files", "secret_files", "checker", "on_change",
)  # fmt: skip
_REPLACES = ("docker_host", "volume", "target")


class ConfigFilesError(Exception):
    """Said to the user as it is."""


def connect(docker_host: str) -> docker.DockerClient:
    """A client of the Docker Engine that the provider uses. Raises ConfigFilesError."""
    try:
        client = docker.DockerClient(
            base_url=docker_host, use_ssh_client=docker_host.startswith("ssh://")
        )
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise ConfigFilesError(
            f"No Docker Engine answers at {docker_host} (vitalstream:dockerHost): {error}. "
            "Start it (`systemctl start docker`, or `dockerd` by hand) or name one that runs."
        ) from None
    return client


class ConfigFilesProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Called in the engine's plugin process alone."""
        # The engine prints whatever comes out of here with its stack; the message is enough. In a
        # process that runs a Pulumi program this would hang it: Pulumi reads its own stack.
        sys.tracebacklimit = 0

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Lets the service's own checker judge changed files, in previews too.

        A failure names no property: the engine would print the whole value of it before the reason.
        """
        changed = any(olds.get(key) != news.get(key) for key in _COMPARED)
        if not changed or not news["checker"]:
            return CheckResult(news, [])
        try:
            refusal = _refusal(news, connect(news["docker_host"]))
        except docker.errors.ImageNotFound:
            # Before the first `up` the image is not there yet; `create` checks then.
            refusal = None
        except ConfigFilesError as error:
            return CheckResult(news, [CheckFailure("", str(error))])
        return CheckResult(news, [CheckFailure("", refusal)] if refusal else [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        changed = [key for key in _COMPARED if olds.get(key) != news.get(key)]
        return DiffResult(
            changes=bool(changed),
            replaces=[key for key in changed if key in _REPLACES],
            delete_before_replace=True,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._apply(props, {})
        return CreateResult(f"{props['volume']}:{props['target']}", props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        self._apply(news, olds)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        try:
            found = _volume(props, connect(props["docker_host"])).read()
        except docker.errors.ImageNotFound:
            # Nothing to look with until the next `up` pulls it: taken to be as it was.
            return ReadResult(id_, props)
        except docker.errors.NotFound:
            return ReadResult("", {})
        secret = props["secret_files"]
        outs = {
            **props,
            "files": {path: text for path, text in found.items() if path not in secret},
            "secret_files": {path: text for path, text in found.items() if path in secret},
        }
        return ReadResult(id_, outs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: the files go with their volume, which is a resource of its own."""

    def _apply(self, news: Mapping[str, Any], olds: Mapping[str, Any]) -> None:
        client = connect(news["docker_host"])
        refusal = _refusal(news, client)
        if refusal:
            raise ConfigFilesError(refusal)
        _volume(news, client).put(_files(news))
        if not _same_files(news, olds):
            _activate(news, client)


def _files(props: Mapping[str, Any]) -> dict[str, File]:
    return {
        **{path: File(text, PUBLIC_MODE) for path, text in props["files"].items()},
        **{path: File(text, SECRET_MODE) for path, text in props["secret_files"].items()},
    }


def _same_files(news: Mapping[str, Any], olds: Mapping[str, Any]) -> bool:
    return all(olds.get(key) == news[key] for key in ("files", "secret_files"))


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
    # promtool says a paragraph a file; the ones about good files only bury the others.
    faults = [part for part in words.split("\n\n") if "SUCCESS" not in part or "FAILED" in part]
    words = "\n\n".join(faults) or words
    return f"{' '.join(props['checker'])} refuses these files; what runs stays as it was.\n{words}"


def _activate(props: Mapping[str, Any], client: docker.DockerClient) -> None:
    """Makes the running container use the new files; before the first start there is none."""
    try:
        container = client.containers.get(props["container"])
    except docker.errors.NotFound:
        return
    if container.status != "running":
        return
    how = props["on_change"]
    if how.get("reload"):
        _reload(container, how["reload"])
    elif how.get("run"):
        _run(container, list(how["run"]))
    elif how.get("restart"):
        _restart(container)


def _reload(container: Container, how: Mapping[str, Any]) -> None:
    """SIGHUP, then wait for the service's own word that it took the new configuration."""
    before = _reload_metrics(container, how)
    container.kill(signal="SIGHUP")
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        now = _reload_metrics(container, how)
        # After a failed reload the metric says 0 until this one has had its moment.
        if now.get("successful") == 0 and before.get("successful") == 1:
            break
        if now.get("success_timestamp_seconds", 0) > before.get("success_timestamp_seconds", 0):
            return
        time.sleep(0.1)
    log = container.logs(tail=5).decode(errors="replace").strip()
    raise ConfigFilesError(
        f"{container.name} did not take the new configuration and runs on with the old one. "
        f"Its last words:\n{log}"
    )


def _reload_metrics(container: Container, how: Mapping[str, Any]) -> dict[str, float]:
    _, output = container.exec_run(["wget", "-q", "-O", "-", how["metrics"]])
    assert isinstance(output, bytes)
    found = re.findall(
        rf"^{how['prefix']}_(\w+) (\S+)$", output.decode(errors="replace"), re.MULTILINE
    )
    return {name: float(value) for name, value in found}


def _run(container: Container, command: list[str]) -> None:
    status, output = container.exec_run(command)
    assert isinstance(output, bytes)
    if status != 0:
        raise ConfigFilesError(
            f"{container.name}: `{command[0]}` failed with status {status}:\n"
            f"{output.decode(errors='replace').strip()}"
        )


def _restart(container: Container) -> None:
    """For services that read a file at their start only. A gap of a scrape or two."""
    container.restart(timeout=10)
    deadline = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < deadline:
        container.reload()
        if container.health == "healthy":
            return
        time.sleep(0.2)
    raise ConfigFilesError(
        f"{container.name} is not healthy {RESTART_SECONDS} s after its restart. Its last words:\n"
        f"{container.logs(tail=5).decode(errors='replace').strip()}"
    )
