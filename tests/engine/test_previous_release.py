"""Stack created by the previous release, updated by this version of the program."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from components.docker.api_version import START_INTERVAL
from tests.engine import conftest
from tests.engine.program import ROOT, EngineStack

STACK = "engine-upgrade"
LIKE = "prod"
CONFIG: dict[str, Any] = {"protectData": False, "tls": False, "demo": False}
PREVIOUS = "ea5e9be"
# What this release changes on purpose: rules, panels and messages, all of it in place.
MEANT = {"prometheus-config", "alertmanager-config"}
# New containers: the exporters get time-outs, one a collector too, Grafana one more setting.
REPLACED = {"grafana", "postgres-exporter", "redis-exporter"}
# And on an engine that has `start_interval`, the health check of each uses it.
REPLACED_WITH_START_INTERVAL = {*REPLACED, "alertmanager", "node-exporter", "prometheus"}
NEW = {"blackbox-exporter", "cadvisor"}
DASHBOARD = "grafana:oss/dashboard:Dashboard"
PROVIDERS = "pulumi:providers:"


@pytest.fixture(scope="module")
def met(engine: EngineStack) -> EngineStack:
    """The stack, up by the previous release; its folder then has this version's program."""
    _checkout(engine.folder)
    # Settings and services that the previous release did not have.
    del engine.values["networkPool"]
    for setting in ("images", "ports"):
        known = {name: at for name, at in engine.values[setting].items() if name not in NEW}
        engine.values[setting] = known
    engine.up()
    conftest.update_program(engine.folder)
    return engine


def test_previous_release_previewed_replaces_only_intended_resources(
    met: EngineStack,
) -> None:
    found = _operations(met)
    changed = {name for (_, name), op in found.items() if op not in ("same", "update")}
    assert changed == _replaced(met)


def test_previous_release_previewed_updates_only_intended_resources(
    met: EngineStack,
) -> None:
    updated = {
        name
        for (kind, name), op in _operations(met).items()
        # Neither a provider nor a dashboard is anything that runs.
        if op == "update" and kind != DASHBOARD and not kind.startswith(PROVIDERS)
    }
    assert updated <= MEANT


def test_previous_release_updated_restarts_no_other_container(
    met: EngineStack,
) -> None:
    before = met.started()
    met.up()
    after = met.started()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"vitalstream-{STACK}-{name}" for name in _replaced(met)}


def test_previous_release_updated_twice_changes_nothing(met: EngineStack) -> None:
    assert met.preview(refresh=True) == {}


def _replaced(engine: EngineStack) -> set[str]:
    found = engine.client.version()["ApiVersion"]
    native = tuple(map(int, found.split("."))) >= START_INTERVAL
    return REPLACED_WITH_START_INTERVAL if native else REPLACED


def _checkout(folder: Path) -> None:
    if _git("cat-file", "-e", PREVIOUS).returncode != 0:
        conftest.unavailable(f"this clone has no commit {PREVIOUS}; git fetch --unshallow")
    # That release has fewer folders.
    there = _git("ls-tree", "--name-only", PREVIOUS, *conftest.PROGRAM, *conftest.FOLDERS)
    archive = _git("archive", PREVIOUS, *there.stdout.decode().split())
    assert archive.returncode == 0, archive.stderr
    conftest.remove_program(folder)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as found:
        found.extractall(folder, filter="data")
    conftest.use_this_python(folder)


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def _operations(stack: EngineStack) -> dict[tuple[str, str], str]:
    """Return the planned operation for each resource, by type and name."""
    found: dict[tuple[str, str], str] = {}

    def read(event: EngineEvent) -> None:
        if event.resource_pre_event:
            step = event.resource_pre_event.metadata
            found[step.type, step.urn.split("::")[-1]] = str(getattr(step.op, "value", step.op))

    stack.configure()
    stack.stack.preview(on_event=read, on_output=print)
    return found
