"""Report of why a container did not become healthy: the provider only says that it waited."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import Any

import pulumi
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.proto import resource_pb2

from components.common.redaction import redact
from components.docker.engines import Engine

# One name for all containers, registered at every run: the engine calls a hook by the name in the
# state, also for a container that the program no longer has.
NAME = "vitalstream-health-report"
LOG_LINES = 5


class HealthReport:
    """Error hook of a run's containers; prints what the health check and the container printed."""

    def __init__(self) -> None:
        self._containers: dict[str, tuple[Engine, str]] = {}
        self.hook = pulumi.ErrorHook(NAME, self._report)

    def add(self, resource: str, engine: Engine, container: str) -> None:
        """Make the container of a resource known."""
        self._containers[resource] = engine, container

    def _report(self, args: pulumi.ErrorHookArgs) -> bool:
        # Only where a container failed: the Docker SDK takes 0.2 s to import.
        import docker.errors  # noqa: PLC0415

        from components.docker.connection import connect  # noqa: PLC0415

        known = self._containers.get(args.name)
        if known and args.failed_operation != "delete":
            engine, container = known
            # The provider's own error says enough of an engine that does not answer.
            with contextlib.suppress(docker.errors.DockerException, OSError):
                client = connect(engine.url, engine.host, engine.certificates)
                if text := describe(client.containers.get(container)):
                    pulumi.log.error(text)
        return False


@lru_cache(maxsize=1)
def _report_of(_monitor: Any) -> HealthReport:
    """Return the one report of a run; a test process has several runs."""
    return HealthReport()


def hooks(resource: str, engine: Engine, container: str) -> pulumi.ResourceHookBinding | None:
    """Return the hook of a container's resource; None where the CLI has no error hooks."""
    if not runtime_settings.monitor_supports_feature(
        resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS
    ):
        return None
    report = _report_of(runtime_settings.get_monitor())
    report.add(resource, engine, container)
    return pulumi.ResourceHookBinding(on_error=[report.hook])


def describe(container: Any) -> str | None:
    """Return what a container printed that is not healthy; None for one that is."""
    state = container.attrs["State"]
    health = state.get("Health") or {}
    if state["Running"] and health.get("Status", "healthy") == "healthy":
        return None
    how = f"is {state['Status']}"
    if state["Status"] in ("restarting", "exited"):
        how += f" with exit code {state['ExitCode']}"
    if health.get("Status"):
        how += f", {health['Status']}"
    # A crashing container runs for a moment between two restarts.
    if restarts := container.attrs.get("RestartCount"):
        how += f", restarted {restarts} times"
    checks = health.get("Log") or []
    printed = checks[-1]["Output"].strip() if checks else ""
    log = container.logs(tail=LOG_LINES).decode(errors="replace").strip()
    return redact(
        f"{container.name} {how}.\n"
        f"Its health check printed: {printed or '(nothing)'}\n"
        f"The end of its log:\n{log or '(empty)'}"
    )
