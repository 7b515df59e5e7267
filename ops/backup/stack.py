"""Services of a stack that have data to back up."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import docker
import docker.errors
from docker.models.containers import Container

from components.docker.connection import ConfigFilesError, connect
from components.docker.container import container_name
from ops import connections
from ops.backup import shell
from ops.backup.errors import BackupError
from ops.backup.sources import SOURCES, Source

STACK_LABEL = "vitalstream.stack"
# Docker answers some calls only at their end: a restart, the upload of a folder.
PATIENCE_SECONDS = 600
HEALTHY_SECONDS = 600
POLL_SECONDS = 0.1
# A service that cannot start is restarted at once: fail before the time limit.
RESTARTS_TO_GIVE_UP = 3
LOG_LINES = 15
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)[^\s,]*")
# Not Go's, which all of them print as well: `go version: go1.19.8`.
_SAID = re.compile(r"\bversion,? (v?\d+\.\d+[^\s,]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Member:
    """Service of the stack: its container and its data volume."""

    kept: Source
    container: Container
    volume: str

    @property
    def service(self) -> str:
        return self.kept.service

    @property
    def healthy(self) -> bool:
        self.container.reload()
        return self.container.status == "running" and self.container.health == "healthy"

    def run(self, script: str, *arguments: str) -> tuple[int, str]:
        """Run a shell script as the service's user and return exit code and output."""
        return shell.run(self.container, script, *arguments)

    def wait(self, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until the service is healthy. Raises BackupError with the end of its log."""
        deadline = time.monotonic() + seconds
        while not self.healthy:
            state = self.container.attrs["State"]
            if state["Status"] in ("created", "exited", "dead", "paused"):
                fault = f"is {state['Status']}"
            elif self.container.attrs["RestartCount"] >= RESTARTS_TO_GIVE_UP:
                fault = f"does not stay up: it ended with status {state['ExitCode']}"
            elif time.monotonic() >= deadline:
                fault = f"is not healthy after {seconds:g} s"
            else:
                time.sleep(POLL_SECONDS)
                continue
            words = self.container.logs(tail=LOG_LINES).decode(errors="replace").strip()
            raise BackupError(
                f"{self.container.name} {fault}. End of its log:\n{words or '(none)'}"
            )


@dataclass(frozen=True)
class Version:
    """Major and minor version of a service."""

    major: int
    minor: int

    @classmethod
    def of(cls, text: str) -> Version | None:
        found = _VERSION.search(text)
        return cls(int(found[1]), int(found[2])) if found else None


def engine(stack: str) -> docker.DockerClient:
    """Return a client of the stack's engine with a long timeout.

    Raises BackupError also where a service with data runs on another host.
    """
    placement = connections.placement(stack)
    if elsewhere := [kept.service for kept in SOURCES if kept.service in placement]:
        raise BackupError(
            f"{' and '.join(elsewhere)} of {stack} "
            f"{'runs' if len(elsewhere) == 1 else 'run'} on another host (vitalstream:placement), "
            "and only services on dockerHost are backed up. Nothing was touched. fix: see "
            "docs/operations/hosts.md"
        )
    try:
        engine = connections.main_engine(stack)
        client = connect(engine.url, certificates=engine.certificates)
    except ConfigFilesError as error:
        raise BackupError(str(error)) from None
    client.api.timeout = PATIENCE_SECONDS
    return client


def members(client: docker.DockerClient, stack: str) -> list[Member]:
    """Return the services with data in the stack's volumes; of replicas, the first one.

    Raises BackupError for an unknown stack.
    """
    found = [member for kept in SOURCES if (member := _member(client, stack, kept))]
    if not found:
        there = {
            container.labels[STACK_LABEL]
            for container in client.containers.list(
                all=True, ignore_removed=True, filters={"label": STACK_LABEL}
            )
        }
        raise BackupError(
            f"There is no stack {stack} on this Docker Engine (there are: "
            f"{', '.join(sorted(there)) or 'none'}). fix: `pulumi up --stack {stack}`"
        )
    return found


def shared_database(client: docker.DockerClient, stack: str) -> str | None:
    """Return the host of Grafana's PostgreSQL, None for SQLite."""
    try:
        container = client.containers.get(container_name(stack, "grafana"))
    except docker.errors.NotFound:
        return None
    return _database(container)


def _database(container: Container) -> str | None:
    entries: list[str] = container.attrs["Config"]["Env"] or []
    variables = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    if variables.get("GF_DATABASE_TYPE", "sqlite3") == "sqlite3":
        return None
    return variables.get("GF_DATABASE_HOST", "")


def version(client: docker.DockerClient, member: Member) -> str:
    """Return the version that the program prints, such as `2.42.0`, else the image's tag.

    Empty if neither is known.
    """
    said = client.containers.run(
        member.container.attrs["Image"],
        ["-c", f"{{ {member.kept.version}; }} 2>&1"],
        entrypoint=["sh"],
        network_mode="none",
        remove=True,
    ).decode(errors="replace")
    tag = image(client, member).partition("@")[0].rpartition(":")[2]
    printed = _SAID.search(said)
    found = printed[1] if printed else tag if _VERSION.match(tag) else ""
    return found.removeprefix("v")


def image(client: docker.DockerClient, member: Member) -> str:
    """Return the image's tag or digest, else its id."""
    id_ = str(member.container.attrs["Image"])
    try:
        found = client.images.get(id_)
    except docker.errors.ImageNotFound:
        return id_
    return next(iter([*found.tags, *found.attrs["RepoDigests"]]), id_)


def _member(client: docker.DockerClient, stack: str, kept: Source) -> Member | None:
    name = container_name(stack, kept.service)
    try:
        container = client.containers.get(name)
    except docker.errors.NotFound:
        return None
    if _database(container):
        return None
    for mount in container.attrs["Mounts"]:
        if mount["Destination"] == kept.data_dir and mount["Type"] == "volume":
            return Member(kept, container, mount["Name"])
    raise BackupError(
        f"{name} has no volume at {kept.data_dir}: it was not created by this program."
    )
