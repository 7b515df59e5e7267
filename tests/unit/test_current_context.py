"""Engine that the command `docker` uses, in the error of a `dockerHost` that does not answer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from components.docker import connection
from components.docker.connection import ConfigFilesError

DEFAULT = "unix:///run/nobody-is-here.sock"
COLIMA = "unix:///home/nurse/.colima/default/docker.sock"


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a user's ~/.docker, without a context."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def _use_colima(folder: Path) -> None:
    """Write what `docker context create colima` and `docker context use colima` write."""
    (folder / "config.json").write_text(json.dumps({"currentContext": "colima"}))
    meta = folder / "contexts" / "meta" / hashlib.sha256(b"colima").hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": COLIMA, "SkipTLSVerify": False}}
    content = {"Name": "colima", "Metadata": {}, "Endpoints": endpoints}
    (meta / "meta.json").write_text(json.dumps(content))


def _error() -> str:
    with pytest.raises(ConfigFilesError) as raised:
        connection.connect(DEFAULT)
    return str(raised.value)


def test_unreachable_engine_with_another_context_names_its_socket(docker_config: Path) -> None:
    _use_colima(docker_config)
    assert f"uses {COLIMA} here (its context colima): `pulumi config set dockerHost" in _error()


def test_unreachable_engine_with_docker_host_names_that(
    docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_colima(docker_config)
    monkeypatch.setenv("DOCKER_HOST", "tcp://app:canary-1@10.0.0.7:2375")
    message = _error()
    assert "here (DOCKER_HOST)" in message
    assert "10.0.0.7:2375" in message
    assert "canary-1" not in message


@pytest.mark.parametrize("content", ["", '{"currentContext": "gone"}'])
def test_unreachable_engine_with_an_unreadable_context_names_no_other(
    docker_config: Path, content: str
) -> None:
    (docker_config / "config.json").write_text(content)
    assert "No Docker Engine answers" in _error()
    assert "uses" not in _error() or "/var/run/docker.sock" in _error()
