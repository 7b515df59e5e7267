"""Swap and rollback of a volume's content, killed at any step."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ops.backup.lock import SCRIPTS
from ops.backup.staging import STAGING_FOLDER

OLD = {"wal/00000000": "old", "01GSYJ/meta.json": "old", ".hidden": "old", "lock": "old"}
NEW = {"wal/00000007": "new", "01HSYJ/meta.json": "new", ".seen": "new"}
# The commands of the scripts that change anything: `mkdir`, `mv` and `rm`.
SWAP_STEPS = 10
BACK_STEPS = 9
CUT = """#!/bin/sh
left=$(cat "$STEPS_LEFT")
[ "$left" -gt 0 ] || kill -9 $PPID
echo $((left - 1)) >"$STEPS_LEFT"
exec "$REAL_{name}" "$@"
"""


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and STAGING_FOLDER not in path.relative_to(folder).parts
    }


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    root = tmp_path / "volume"
    put(root, OLD)
    put(root / STAGING_FOLDER / "new", NEW)
    return root


def run(script: str, volume: Path, **environment: str) -> int:
    done = subprocess.run(
        ["sh", SCRIPTS / script, volume, STAGING_FOLDER],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=20,
    )
    return done.returncode


def cut_after(steps: int, script: str, volume: Path, folder: Path) -> bool:
    """Runs a script and kills it before it does more than so many steps. Whether it was killed."""
    stubs = folder / f"stubs-{steps}-{script}"
    stubs.mkdir()
    left = stubs / "left"
    left.write_text(str(steps))
    real = {}
    for name in ("mv", "mkdir", "rm"):
        (stubs / name).write_text(CUT.replace("{name}", name))
        (stubs / name).chmod(0o755)
        real[f"REAL_{name}"] = f"/bin/{name}"
    path = f"{stubs}:{os.environ['PATH']}"
    return run(script, volume, PATH=path, STEPS_LEFT=str(left), **real) != 0


def test_swap_installs_the_new_content(volume: Path) -> None:
    assert run("swap.sh", volume) == 0
    assert found(volume) == NEW


def test_swap_keeps_the_old_content(volume: Path) -> None:
    run("swap.sh", volume)
    old = volume / STAGING_FOLDER / "old"
    assert {name: (old / name).read_text() for name in OLD} == OLD


def test_rollback_after_swap_restores_the_old_content(volume: Path) -> None:
    run("swap.sh", volume)
    put(volume, {"written-by-the-new": "new", "wal/00000008": "new"})
    assert run("back.sh", volume) == 0
    assert found(volume) == OLD
    assert not (volume / STAGING_FOLDER).exists()


def test_rollback_before_swap_keeps_the_old_content(volume: Path) -> None:
    assert run("back.sh", volume) == 0
    assert found(volume) == OLD
    assert not (volume / STAGING_FOLDER).exists()


def test_rollback_without_restore_does_nothing(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    assert run("back.sh", tmp_path) == 0
    assert found(tmp_path) == OLD


def test_swap_repeated_is_refused_and_keeps_the_old_content(volume: Path) -> None:
    """Refuse a second swap, which would store the new content as the old."""
    run("swap.sh", volume)
    assert run("swap.sh", volume) != 0
    run("back.sh", volume)
    assert found(volume) == OLD


@pytest.mark.parametrize("steps", range(SWAP_STEPS + 1))
def test_swap_killed_at_any_step_is_rolled_back(steps: int, volume: Path, tmp_path: Path) -> None:
    killed = cut_after(steps, "swap.sh", volume, tmp_path)
    assert killed == (steps < SWAP_STEPS)
    assert run("back.sh", volume) == 0
    assert found(volume) == OLD


@pytest.mark.parametrize("steps", range(BACK_STEPS + 1))
def test_rollback_killed_at_any_step_is_resumed(steps: int, volume: Path, tmp_path: Path) -> None:
    run("swap.sh", volume)
    killed = cut_after(steps, "back.sh", volume, tmp_path)
    assert killed == (steps < BACK_STEPS)
    assert run("back.sh", volume) == 0
    assert found(volume) == OLD


def test_swap_and_rollback_killed_are_rolled_back(volume: Path, tmp_path: Path) -> None:
    cut_after(8, "swap.sh", volume, tmp_path)
    for steps in (2, 3):
        cut_after(steps, "back.sh", volume, tmp_path)
    run("back.sh", volume)
    assert found(volume) == OLD
