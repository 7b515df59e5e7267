"""Connections of commands to a stack's services: settings and HTTP sessions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ops import connections
from ops.offline.program import ProgramError, committed_values
from tests.unit.conftest import SECRETS, SERVED


class Cli:
    """A Pulumi CLI that answers `config` with these values."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pulumi"
        self._answer = folder / "answer.json"

    def answers(self, values: dict[str, Any], secrets: set[str]) -> None:
        found = {
            f"vitalstream:{key}": {"value": value, "secret": key in secrets}
            for key, value in values.items()
        }
        self._answer.write_text(json.dumps({**found, "other:key": {"value": "", "secret": False}}))
        self._says(f'[ "$2 $3 $5" = "--show-secrets --json prod" ] && cat {self._answer}')

    def fails(self, words: str) -> None:
        self._says(f"echo 'error: {words}' >&2; exit 255")

    def _says(self, script: str) -> None:
        self.path.write_text(f"#!/bin/sh\n{script}\n")
        self.path.chmod(0o755)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    found = Cli(tmp_path)
    monkeypatch.setattr("ops.demo.pulumi_cli.find", lambda: str(found.path))
    return found


def test_access_without_passwords_needs_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    assert connections.settings_of("dev").stack == "dev"


def test_access_with_password_uses_the_stacks_login(cli: Cli) -> None:
    values = {**SERVED, **SECRETS, "ports": '{"grafana": 3333}', "mailUsername": "monitoring"}
    cli.answers(values, {*SECRETS})
    found = connections.settings_of("prod")
    assert found.web_password.get_secret_value() == SECRETS["webPassword"]
    assert found.local_url("grafana") == "https://127.0.0.1:3333"


def test_access_unset_values_come_from_the_committed_file(cli: Cli) -> None:
    cli.answers({**SERVED, **SECRETS, "mailUsername": "monitoring"}, {*SECRETS})
    assert (
        connections.settings_of("prod").retention_time == committed_values("prod")["retentionTime"]
    )


def test_access_without_cli_reports_the_missing_cli(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.demo.pulumi_cli.find", lambda: None)
    with pytest.raises(
        ProgramError, match=r"Stack prod requires a password .*there is no Pulumi CLI here"
    ):
        connections.settings_of("prod")


def test_cli_error_is_reported(cli: Cli) -> None:
    cli.fails("no stack named prod found")
    with pytest.raises(ProgramError, match=r"cannot be read from its configuration: no stack na"):
        connections.settings_of("prod")


def test_invalid_settings_are_reported(cli: Cli) -> None:
    cli.answers({**SECRETS, "mailUsername": "monitoring"}, {*SECRETS})
    with pytest.raises(ProgramError, match=r"vitalstream:tlsCa[^\n]* is missing"):
        connections.settings_of("prod")


def test_session_without_password_sends_no_login() -> None:
    assert connections.session(connections.settings_of("dev")).auth is None


def test_session_ignores_the_users_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert connections.trusting("").trust_env is False
