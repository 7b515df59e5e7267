"""Entrypoints of the local images, with fakes of the programs that they call."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ops.offline.images.recipes import ENTRYPOINTS


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class Entrypoint:
    """Runs an entrypoint with stand-ins for the programs that it calls."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.calls = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.data.mkdir()
        self.calls.touch()
        for program in ("redis-server", "redis-cli", "initdb", "pg_ctl", "psql", "postgres"):
            executable(self.bin / program, f'echo {program} "$@" >>{self.calls}')

    def run(self, script: str, *arguments: str, **environment: str) -> list[str]:
        """Return the calls made, one string each. Raises CalledProcessError on exit status 1."""
        environment |= {"PATH": f"{self.bin}:{os.environ['PATH']}", "PGDATA": str(self.data)}
        command = ["sh", str(ENTRYPOINTS / script), *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return self.calls.read_text().splitlines()


@pytest.fixture
def entrypoint(tmp_path: Path) -> Entrypoint:
    return Entrypoint(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["redis-server"], "redis-server --protected-mode no"),
        (["--maxmemory", "32mb"], "redis-server --protected-mode no --maxmemory 32mb"),
        (
            ["redis-server", "/a.conf", "--save", "60 1"],
            "redis-server /a.conf --protected-mode no --save 60 1",
        ),
        (["/a.conf"], "redis-server /a.conf --protected-mode no"),
        (["redis-cli", "ping"], "redis-cli ping"),
    ],
)
def test_redis_entrypoint_accepts_the_official_arguments(
    entrypoint: Entrypoint, arguments: list[str], called: str
) -> None:
    assert entrypoint.run("redis.sh", *arguments) == [called]


def test_postgresql_entrypoint_without_data_creates_the_cluster(entrypoint: Entrypoint) -> None:
    calls = entrypoint.run("postgres.sh", "postgres", POSTGRES_PASSWORD="a", POSTGRES_DB="app")
    assert [call.split()[0] for call in calls] == ["initdb", "pg_ctl", "psql", "pg_ctl", "postgres"]


def test_postgresql_entrypoint_with_data_keeps_the_cluster(entrypoint: Entrypoint) -> None:
    (entrypoint.data / "PG_VERSION").write_text("15")
    assert entrypoint.run("postgres.sh", "-c", "a=1") == ["postgres -c a=1"]


def test_postgresql_entrypoint_passes_arguments(entrypoint: Entrypoint) -> None:
    calls = entrypoint.run("postgres.sh", "-c", "max_connections=50", POSTGRES_PASSWORD="a")
    assert calls[-1] == "postgres -c max_connections=50"


def test_postgresql_entrypoint_requires_a_password_from_the_network(entrypoint: Entrypoint) -> None:
    entrypoint.run("postgres.sh", "postgres", POSTGRES_PASSWORD="a")
    assert (entrypoint.data / "pg_hba.conf").read_text() == "host all all all scram-sha-256\n"


def test_postgresql_entrypoint_passes_no_password_as_argument(
    entrypoint: Entrypoint, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("not-on-a-command-line")
    calls = entrypoint.run("postgres.sh", "postgres", POSTGRES_PASSWORD_FILE=str(password))
    assert not [call for call in calls if "not-on-a-command-line" in call]


def test_postgresql_entrypoint_without_password_fails(entrypoint: Entrypoint) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        entrypoint.run("postgres.sh", "postgres")
    assert "set POSTGRES_PASSWORD_FILE" in refusal.value.stderr


def test_postgresql_entrypoint_with_two_passwords_fails(entrypoint: Entrypoint) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        entrypoint.run("postgres.sh", "postgres", POSTGRES_PASSWORD="a", POSTGRES_PASSWORD_FILE="b")
    assert "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, not both" in refusal.value.stderr
