"""Docker Engine over ssh, with a script in place of ssh."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from components.docker import ssh_tunnel
from components.docker.connection import ConfigFilesError, connect
from components.docker.ssh_tunnel import TunnelError, local_url

Install = Callable[[str], Path]
HOST = "ssh://ops@10.0.0.2:2222"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a script in place of ssh; return the file that records its arguments."""
    calls = tmp_path / "calls"
    monkeypatch.setattr(ssh_tunnel, "_tunnels", {})

    def install(script: str) -> Path:
        command = tmp_path / "ssh"
        command.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return calls

    return install


def test_tunnel_uses_one_ssh_process_per_host(ssh: Install) -> None:
    calls = ssh("echo ready; exec cat")
    first = local_url(HOST)
    assert local_url(HOST) == first
    assert first.startswith("unix:///")
    [call] = calls.read_text().splitlines()
    assert f"-L {first.removeprefix('unix://')}:/var/run/docker.sock" in call
    assert "-l ops -p 2222 -- 10.0.0.2" in call
    assert "BatchMode=yes" in call


def test_tunnel_ends_when_its_input_is_closed(ssh: Install) -> None:
    ssh("echo ready; exec cat")
    local_url(HOST)
    process = ssh_tunnel._tunnels[HOST].process
    assert process.stdin
    process.stdin.close()
    assert process.wait(10) == 0


def test_ended_tunnel_is_restarted(ssh: Install) -> None:
    calls = ssh("echo ready; exec cat")
    local_url(HOST)
    ssh_tunnel._end(ssh_tunnel._tunnels[HOST].process)
    local_url(HOST)
    assert len(calls.read_text().splitlines()) == 2


def test_ssh_error_is_reported(ssh: Install) -> None:
    ssh("echo 'ops@10.0.0.2: Permission denied (publickey).' >&2; exit 255")
    with pytest.raises(ConfigFilesError) as raised:
        connect(HOST, "monitor-2")
    assert (
        "No Docker Engine answers on the host monitor-2, at ssh://ops@10.0.0.2:2222 "
        "(vitalstream:hosts.monitor-2.docker): ssh: ops@10.0.0.2: Permission denied (publickey). "
    ) in str(raised.value)


def test_silent_ssh_times_out(ssh: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_tunnel, "READY_SECONDS", 0.3)
    ssh("exec sleep 30")
    with pytest.raises(TunnelError, match=r"no answer in 0\.3 s"):
        local_url(HOST)


def test_missing_ssh_command_is_reported(ssh: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TunnelError, match="ssh is not installed on this machine"):
        local_url(HOST)
