"""`ops diff` compared with the real engine: one edit, reported from commits and from a preview."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ops.review.diff import (
    as_json,
    base,
    compose,
    plan,
    preview,
)
from ops.review.diff.comparison import Comparison, Op
from ops.review.diff.report import Report, Section
from ops.review.diff.snapshot import CONTAINER
from tests.engine import recording
from tests.engine.program import ROOT, EngineStack

STACK = "engine-diff"
LIKE = "prod"
CONFIG: dict[str, object] = {"tls": False}
# A preview does not know which secret file changed.
SAME = tuple(section for section in Section if section is not Section.DETAILS)
HOOK = "return docker.Container("
# An edit of every input that the program gives a container, and of some that it may one day.
CHANGED_INPUTS = """
def _changed(service, **inputs):
    def listed(key):
        return list(inputs.get(key) or [])

    if service == "alertmanager":
        extra = volume_mount("another", "/another", read_only=True)
        inputs["mounts"] = [*inputs["mounts"], extra]
    if service == "prometheus":
        inputs["healthcheck"] = docker.ContainerHealthcheckArgs(
            tests=["CMD-SHELL", "true"], interval="2s", timeout="20s", start_period="1m0s",
            retries=3,
        )
        inputs["mounts"] = [
            docker.ContainerMountArgs(
                type=found.type, source="another", target=found.target, read_only=found.read_only
            )
            for found in inputs["mounts"]
        ]
    if service == "grafana":
        inputs |= {
            "command": ["--another"],
            "entrypoints": ["/another"],
            "envs": [*listed("envs"), "A=b"],
            "user": "1:1",
            "networks_advanced": [
                docker.ContainerNetworksAdvancedArgs(name=found.name, aliases=["another"])
                for found in inputs["networks_advanced"]
            ],
            "ports": [
                docker.ContainerPortArgs(
                    internal=found.internal, external=1, ip=found.ip, protocol="tcp"
                )
                for found in inputs["ports"]
            ],
            "tmpfs": {"/tmp": "rw"},
            "labels": [*inputs["labels"], docker.ContainerLabelArgs(label="a", value="b")],
            "memory": 256,
            "memory_swap": 256,
            "memory_reservation": 32,
            "cpus": "0.75",
            "cpu_shares": 512,
            "read_only": False,
            "capabilities": docker.ContainerCapabilitiesArgs(drops=["CAP_CHOWN"]),
            "security_opts": ["label=disable"],
            "pid_mode": "host",
            "ulimits": [docker.ContainerUlimitArgs(name="nofile", soft=1, hard=2)],
            "init": False,
            "restart": "always",
            "max_retry_count": 3,
            "log_driver": "local",
            "log_opts": {"max-size": "20m"},
            "wait": False,
            "wait_timeout": 99,
            "must_run": False,
            "destroy_grace_seconds": 99,
            "stop_timeout": 99,
            "privileged": True,
            "working_dir": "/",
            "hostname": "another",
            "dns": ["192.0.2.1"],
            "shm_size": 128,
            "sysctls": {"net.core.somaxconn": "128"},
            "group_adds": ["1"],
        }
    inputs["opts"].replace_on_changes = []
    return docker.Container(service, **inputs)
"""


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """Stack after `up`, with its program committed."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ops", engine.folder / "ops", ignore=ignored)
    (engine.folder / ".gitignore").write_text(".state\n__pycache__\n")
    engine.up()
    commit(engine)
    return engine


@contextlib.contextmanager
def taken_back(engine: EngineStack) -> Iterator[None]:
    """Revert the stack's edits after the block."""
    values = dict(engine.values)
    yield
    git(engine, "checkout", "--quiet", ".")
    git(engine, "clean", "--quiet", "--force", "-d")
    engine.values = values


@pytest.fixture
def edited(up: EngineStack) -> Iterator[EngineStack]:
    """Stack whose edits are reverted after each test."""
    with taken_back(up):
        yield up


def git(engine: EngineStack, *arguments: str) -> None:
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *names, *arguments], cwd=engine.folder, check=True, capture_output=True)


def commit(engine: EngineStack) -> None:
    git(engine, "init", "--quiet")
    git(engine, "add", ".")
    git(engine, "commit", "--quiet", "--message", "as it is up")


def edit(engine: EngineStack, path: str, old: str, new: str) -> None:
    file = engine.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def previewed(engine: EngineStack, *options: str) -> Path:
    """Write the CLI's preview file."""
    engine.configure()
    done = subprocess.run(
        ["pulumi", "preview", "--json", "--show-sames", "--stack", STACK, *options],
        cwd=engine.folder,
        env={**os.environ, **engine.stack.workspace.env_vars},
        capture_output=True,
        text=True,
        check=False,
    )
    file = engine.folder / ".state" / "preview.json"
    file.write_text(done.stdout)
    return file


def containers(comparison: Comparison) -> dict[str, Any]:
    return {at.name: at for at, _ in comparison.of_type(CONTAINER)}


def test_plan_table_matches_the_engine_for_each_input(edited: EngineStack) -> None:
    edit(edited, "components/docker/container.py", HOOK, "return _changed(")
    with (edited.folder / "components" / "docker" / "container.py").open("a") as file:
        file.write(CHANGED_INPUTS)
    document = json.loads(previewed(edited).read_text())
    comparison = preview.compare(edited.folder / ".state" / "preview.json")
    reported = plan.steps(comparison.before, comparison.after)
    for name in ("alertmanager", "prometheus", "grafana"):
        address = containers(comparison)[name]
        urn_end = f"Container::{name}"
        raw = next(s for s in document["steps"] if s["urn"].endswith(urn_end) and "newState" in s)
        kinds: dict[str, set[bool]] = {}
        for path, found in raw["detailedDiff"].items():
            top = path.partition(".")[0].partition("[")[0]
            kinds.setdefault(top, set()).add(found["kind"].endswith("-replace"))
        changed = {str(change.path[0]) for change in comparison.input_changes(address)}
        assert changed == set(kinds)
        assert set(reported[address].replaced_for) == {
            top for top, kind in kinds.items() if True in kind
        }
    assert reported[containers(comparison)["prometheus"]].op is Op.UPDATE


def make_edits(engine: EngineStack) -> None:
    edit(engine, "rules/backend.yml", "ratio_rate5m > 5", "ratio_rate5m > 7")
    edit(engine, "rules/redis.yml", "for: 15m", "for: 20m")
    edit(engine, "components/alertmanager/destinations.py", 'repeat="1h"', 'repeat="3h"')
    edit(engine, "components/dashboards/redis.py", 'unit="bytes"', 'unit="decbytes"')
    edit(
        engine,
        "components/docker/network.py",
        "internal=internal,",
        'internal=internal or name == "grafana",',
    )
    engine.configure(
        retentionTime="14d",
        limits={"grafana": {"memory": "300m"}},
        alerts={"HighFailedLogins": {"enabled": False, "reason": "a test"}},
    )
    engine.set_secret("postgresPassword", "canary-another-5a1d77")


@dataclass(frozen=True)
class Both:
    """Reports of one edit from both sources."""

    by_commits: Report
    by_engine: Report


@pytest.fixture(scope="module")
def both(up: EngineStack) -> Both:
    with taken_back(up):
        make_edits(up)
        file = previewed(up)
        (rendered,) = base.compare(up.folder, "HEAD", [STACK])
        before, after = base.settings(up.folder, "HEAD", STACK)
    if recording.wanted():
        recording.write(file, rendered)
    planned = with_settings(preview.compare(file), before, after)
    return Both(compose.report(rendered), compose.report(planned))


@pytest.mark.parametrize("section", SAME)
def test_report_of_an_edit_from_preview_and_base_has_equal_sections(
    section: Section, both: Both
) -> None:
    assert both.by_engine.sections[section] == both.by_commits.sections[section]


def test_report_of_an_edit_from_preview_and_base_has_equal_verdict(both: Both) -> None:
    assert both.by_engine.verdict == both.by_commits.verdict


def test_edit_appears_in_every_section(both: Both) -> None:
    reported = {section for section, items in both.by_engine.sections.items() if items}
    assert reported == set(Section) - {Section.DRIFT, Section.IMAGES}


@pytest.mark.parametrize("source", ["by_commits", "by_engine"])
def test_report_contains_no_secret(source: str, both: Both) -> None:
    assert "canary" not in as_json.render([getattr(both, source)])


def with_settings(comparison: Comparison, before: Any, after: Any) -> Comparison:
    return replace(
        comparison,
        before=replace(comparison.before, settings=before),
        after=replace(comparison.after, settings=after),
    )


def test_manual_change_is_reported_as_drift(up: EngineStack) -> None:
    up.client.containers.run(
        up.values["images"]["prometheus"],
        ["-c", "sed -i 's/ratio_rate5m > 5/ratio_rate5m > 50/' /config/rules/backend.yml"],
        entrypoint=["sh"],
        user="0:0",
        remove=True,
        volumes={f"vitalstream-{STACK}-prometheus-config": {"bind": "/config", "mode": "rw"}},
    )
    up.container("redis-exporter").remove(force=True)
    found = _report(previewed(up, "--refresh"))
    assert found.faults == ()
    drift = {item.subject for item in found.sections[Section.DRIFT]}
    assert drift == {"redis-exporter", "prometheus-config"}
    (alert,) = found.sections[Section.ALERTS]
    assert [(f.name, f.old, f.new) for f in alert.fields] == [("threshold", "> 50", "> 5")]


def test_deletion_of_protected_volume_quotes_the_engine(
    edited: EngineStack,
) -> None:
    edit(edited, "components/docker/service.py", 'DATA_SUFFIX = "-data"', 'DATA_SUFFIX = "-store"')
    found = _report(previewed(edited))
    assert "because it is protected" in found.faults[0].words


def _report(file: Path) -> Report:
    return compose.report(preview.compare(file))
