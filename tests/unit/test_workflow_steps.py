"""Scripts of workflow steps, run with a fake Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workflow_files import scripts, step


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a step does, with a fake Python that prints its arguments."""
    python = folder / ".venv/bin/python"
    if not python.exists():
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\nprintf "%s\\n" "$*"\n')
        python.chmod(0o755)
    (folder / "home").mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_OUTPUT": str(folder / "output"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "pull-request").write_text("7\n")
    return folder


def commented(reports: Path) -> list[str]:
    done = run(
        step("comment", "Comment")["run"],
        reports.parent,
        REPORTS=str(reports),
        GITHUB_REPOSITORY="clinic/monitoring",
        HEAD_SHA="4" * 40,
        HEAD_REPOSITORY="somebody/monitoring",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_comment_step_passes_stack_and_pull_request(reports: Path) -> None:
    (reports / "dev.md").write_text("dev")
    (reports / "prod.md").write_text("prod")
    assert commented(reports) == [
        f"-m ops comment --file={reports}/{stack}.md --stack={stack} --pull-request=7 "
        f"--repository=clinic/monitoring --head-sha={'4' * 40} "
        "--head-repository=somebody/monitoring"
        for stack in ("dev", "prod")
    ]


def test_comment_step_prefers_the_engines_report(reports: Path) -> None:
    (reports / "prod.md").write_text("without")
    (reports / "engine-prod.md").write_text("with")
    assert [line.split()[3] for line in commented(reports)] == [f"--file={reports}/engine-prod.md"]


def test_comment_step_without_report_succeeds(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert commented(tmp_path / "none") == []


def test_comment_step_invalid_number_is_one_argument(reports: Path) -> None:
    (reports / "pull-request").write_text("7; touch x")
    (reports / "prod.md").write_text("prod")
    assert "--pull-request=7; touch x --repository" in commented(reports)[0]
    assert not (reports.parent / "x").exists()


def host_check(folder: Path, host: str, where: str, key: str = "") -> Any:
    done_by = folder / ".venv/bin/python"
    done_by.parent.mkdir(parents=True)
    done_by.write_text(f"#!/bin/sh\necho {host}\n")
    done_by.chmod(0o755)
    environment = {"STACK": "prod", "RUNNER_ENVIRONMENT": where, "KEY": key, "KNOWN_HOSTS": "host"}
    return run(scripts("docker-host")[0], folder, **environment)


@pytest.mark.parametrize(
    ("host", "where", "code"),
    [
        ("unix:///var/run/docker.sock", "github-hosted", 1),
        ("unix:///var/run/docker.sock", "self-hosted", 0),
        ("ssh://user@host", "github-hosted", 0),
        ("tcp://docker.example.com:2376", "github-hosted", 0),
    ],
)
def test_deploy_step_on_hosted_runner_is_refused(
    tmp_path: Path, host: str, where: str, code: int
) -> None:
    assert host_check(tmp_path, host, where).returncode == code


def test_ssh_key_file_is_private(tmp_path: Path) -> None:
    assert host_check(tmp_path, "ssh://user@host", "github-hosted", "the key").returncode == 0
    key = tmp_path / "home/.ssh/id_vitalstream"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("the key\n", 0o600)


@pytest.mark.parametrize("name", ["preview", "deploy"])
@pytest.mark.parametrize("given", ["PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"])
def test_credential_step_accepts_either_credential(name: str, given: str, tmp_path: Path) -> None:
    values = {"PULUMI_ACCESS_TOKEN": "", "PULUMI_BACKEND_URL": "", "STACK": "prod", given: "x"}
    run(step(name, "Look for the stack's credentials")["run"], tmp_path, **values)
    assert (tmp_path / "output").read_text() == "there=true\n"


@pytest.mark.parametrize("name", ["preview", "deploy"])
def test_credential_step_without_credentials_reports_and_skips(name: str, tmp_path: Path) -> None:
    values = {"PULUMI_ACCESS_TOKEN": "", "PULUMI_BACKEND_URL": "", "STACK": "prod"}
    run(step(name, "Look for the stack's credentials")["run"], tmp_path, **values)
    assert "has no PULUMI_ACCESS_TOKEN" in (tmp_path / "summary").read_text()
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(("code", "fails"), [(0, False), (1, True), (2, False), (3, True)])
def test_preview_step_fails_on_errors_only(code: int, fails: bool, tmp_path: Path) -> None:
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    for title in ("Compare with the base, without an engine", "Preview"):
        done = run(step("preview", title)["run"], tmp_path, STACK="prod")
        assert (done.returncode != 0) is fails
