"""Workflows: their permissions, access by forks, and that all they call exists."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from ops.__main__ import app
from tests.unit.workflow_files import (
    FILES,
    ROOT,
    WORKFLOWS,
    jobs,
    load,
    scripts,
    step,
    steps,
    triggers,
)

STACKS = {path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")}
OF_THIS_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
every_file = pytest.mark.parametrize("name", FILES)
every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


@every_file
def test_python_imports_of_scripts_exist(name: str) -> None:
    """A moved module broke two actions before anybody ran them."""
    for script in scripts(name):
        for module, imported in re.findall(r"from (\S+) import (\w+)", script):
            assert hasattr(importlib.import_module(module), imported), module


def commands(name: str) -> Iterator[list[str]]:
    """Yield the words of each command in the scripts, with continued lines joined."""
    for script in scripts(name):
        for line in script.replace("\\\n", " ").splitlines():
            for part in re.split(r"\|\||&&|;|\$\(", line):
                if "'" not in part or part.count("'") % 2 == 0:
                    yield shlex.split(part, comments=True) if part.count('"') % 2 == 0 else []


def test_workflows_exist() -> None:
    assert set(WORKFLOWS) == {"comment", "deploy", "preview", "test"}


@every_file
def test_third_party_actions_are_pinned_by_commit_and_version(name: str) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.*)$", FILES[name].read_text(), re.MULTILINE)
    pin = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [use for use in used if not use.startswith("./") and not pin.fullmatch(use)] == []


def test_action_versions_are_equal_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for name in FILES:
        for use in (found["uses"] for found in steps(name) if "uses" in found):
            pins.setdefault(use.partition("@")[0], set()).add(use)
    assert {action: used for action, used in pins.items() if len(used) > 1} == {}


@every_file
def test_local_actions_exist(name: str) -> None:
    ours = [s["uses"] for s in steps(name) if s.get("uses", "").startswith("./")]
    assert [use for use in ours if not (ROOT / use / "action.yml").is_file()] == []


@every_workflow
def test_workflow_default_permissions_are_empty(name: str) -> None:
    assert load(name)["permissions"] == {}
    assert all("permissions" in job for job in jobs(name).values())


def test_write_permission_is_only_in_the_comment_job() -> None:
    written = {
        (name, right)
        for name in WORKFLOWS
        for job in jobs(name).values()
        for right, level in job["permissions"].items()
        if level != "read"
    }
    assert written == {("comment", "pull-requests")}


@every_workflow
def test_workflows_do_not_use_pull_request_target(name: str) -> None:
    assert "pull_request_target" not in triggers(name)


@every_file
def test_scripts_contain_no_expression(name: str) -> None:
    """Refuse expressions: a branch name or a title would be executed as part of the script."""
    assert [script for script in scripts(name) if "${{" in script] == []


@every_file
def test_scripts_are_valid_bash(name: str) -> None:
    for script in scripts(name):
        done = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
        assert done.returncode == 0, script


@every_file
def test_checkouts_do_not_persist_credentials(name: str) -> None:
    checkouts = [s for s in steps(name) if s.get("uses", "").startswith("actions/checkout@")]
    assert all(found["with"]["persist-credentials"] is False for found in checkouts)


@every_workflow
def test_jobs_have_a_timeout(name: str) -> None:
    assert all(job["timeout-minutes"] <= 60 for job in jobs(name).values())


@every_workflow
def test_fork_triggered_jobs_have_no_secret(name: str) -> None:
    if "pull_request" not in triggers(name):
        return
    open_to_forks = [
        title
        for title, job in jobs(name).items()
        if ("secrets." in str(job) or "environment" in job) and job.get("if") != OF_THIS_REPOSITORY
    ]
    assert open_to_forks == []


@every_workflow
def test_secrets_are_of_environments(name: str) -> None:
    loose = [
        title
        for title, job in jobs(name).items()
        if "secrets." in str(job) and "environment" not in job
    ]
    assert loose == []


@every_workflow
def test_fork_triggered_jobs_use_hosted_runners(name: str) -> None:
    if "pull_request" not in triggers(name):
        return
    ours = [
        title
        for title, job in jobs(name).items()
        if "vars." in job["runs-on"] and job.get("if") != OF_THIS_REPOSITORY
    ]
    assert ours == []


def test_preview_job_uses_the_preview_environment() -> None:
    assert jobs("preview")["engine"]["environment"] == {
        "name": "${{ matrix.stack }}-preview",
        "deployment": False,
    }


def test_comment_job_checks_out_the_default_branch() -> None:
    checkout = next(s for s in steps("comment") if "checkout@" in s.get("uses", ""))
    assert set(checkout["with"]) == {"persist-credentials"}


def test_comment_job_unpacks_the_artifact_outside_the_work_tree() -> None:
    download = next(s for s in steps("comment") if "download-artifact@" in s.get("uses", ""))
    assert download["with"]["path"].startswith("${{ runner.temp }}/")


def test_comment_job_uses_the_previews_artifacts() -> None:
    assert triggers("comment")["workflow_run"]["workflows"] == [load("preview")["name"]]
    left = [s["with"]["name"] for s in steps("preview") if "upload-artifact@" in s.get("uses", "")]
    assert left == ["report-${{ matrix.stack }}", "report-engine-${{ matrix.stack }}"]


def test_committed_stacks_are_previewed_commented_and_deployed() -> None:
    for job in jobs("preview").values():
        assert set(job["strategy"]["matrix"]["stack"]) == STACKS
    said = re.search(r"for stack in (.*); do", step("comment", "Comment")["run"])
    assert said
    assert set(said[1].split()) == STACKS
    assert {job["env"]["STACK"] for job in jobs("deploy").values()} == STACKS


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_deployments_of_a_stack_are_serialized_and_not_cancelled(stack: str) -> None:
    job = jobs("deploy")[stack]
    assert job["concurrency"] == {"group": f"deploy-{stack}", "cancel-in-progress": False}
    assert job["environment"] == stack


def test_deployment_of_prod_follows_dev_from_main() -> None:
    assert jobs("deploy")["prod"]["needs"] == "dev"
    assert jobs("deploy")["dev"]["if"] == "github.ref == 'refs/heads/main'"


def test_deployments_run_the_policy_pack() -> None:
    words = shlex.split(step("deploy", "Up")["run"])
    assert words[:2] == ["pulumi", "up"]
    assert (ROOT / words[words.index("--policy-pack") + 1] / "PulumiPolicy.yaml").is_file()


def test_test_job_allows_no_skips() -> None:
    run = next(found for found in steps("test") if found.get("run") == ".ci/run")
    assert run["env"]["REQUIRE_ENGINE"] == "1"
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_make_targets_in_workflows_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {words[1] for name in FILES for words in commands(name) if words[:1] == ["make"]}
    assert called
    assert called <= targets


def test_ops_commands_in_workflows_exist_with_their_options() -> None:
    group: Any = get_command(app)
    called = 0
    for words in (words for name in FILES for words in commands(name) if "ops" in words):
        command = group.commands[words[words.index("ops") + 1]]
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, words
        called += 1
    assert called >= 4


@pytest.mark.parametrize("name", ["preview", "deploy"])
def test_steps_after_missing_credentials_are_skipped(name: str) -> None:
    guarded = [job for job in jobs(name).values() if "environment" in job]
    for job in guarded:
        later = job["steps"][1:]
        assert all("steps.credentials.outputs.there" in found["if"] for found in later)
