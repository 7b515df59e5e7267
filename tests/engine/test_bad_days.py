"""What can go wrong around an `up`, and the way back: docs/reliability.md has the table.

Each test goes on from where the one before left it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from ops import rehearsal
from tests.engine.program import EngineStack, eventually

STACK = "engine-faults"
LIKE = "dev"
CONFIG = {"demo": False, "scrapeInterval": "3s", "evaluationInterval": "3s"}


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up."""
    engine.up()
    return engine


def cli(engine: EngineStack, *arguments: str) -> subprocess.Popen[str]:
    """The CLI as a user runs it, in a process group of its own."""
    engine.configure()
    return subprocess.Popen(
        ["pulumi", *arguments, "--stack", STACK, "--non-interactive", "--color=never"],
        cwd=engine.folder,
        env={**os.environ, **engine.stack.workspace.env_vars},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(engine: EngineStack, *arguments: str) -> tuple[int, str]:
    process = cli(engine, *arguments)
    output, _ = process.communicate(timeout=180)
    return process.returncode, output


def test_a_container_removed_by_hand_is_brought_back_by_a_refresh(up: EngineStack) -> None:
    up.container("node-exporter").remove(force=True)
    code, output = run(up, "up", "--refresh", "--yes", "--skip-preview")
    assert code == 0, output
    assert up.container("node-exporter").health == "healthy"
    assert up.preview(refresh=True) == {}


def test_with_grafana_down_everything_else_is_still_brought_up_to_date(up: EngineStack) -> None:
    grafana = up.container("grafana")
    grafana.stop()
    rule = up.folder / "rules" / "backend.yml"
    text = rule.read_text()
    rule.write_text(text.replace("instance:backend_up:min == 0", "instance:backend_up:min < 1"))
    code, output = run(up, "up", "--yes", "--skip-preview")
    print(output)
    assert up.rule("BackendDown")["query"] == "instance:backend_up:min < 1"
    rule.write_text(text)
    grafana.start()
    assert eventually(lambda: up.container("grafana").health == "healthy", 60)
    up.up()
    assert up.preview(refresh=True) == {}


def test_an_unreachable_docker_host_is_told_before_anything_is_touched(up: EngineStack) -> None:
    before = up.started()
    up.configure(dockerHost="tcp://127.0.0.1:1")
    code, output = run(up, "preview")
    print(output)
    up.configure(dockerHost="unix:///var/run/docker.sock")
    assert code != 0
    assert "127.0.0.1:1" in output
    assert up.started() == before
    assert up.preview() == {}


def test_of_two_ups_at_once_one_waits_to_be_run_again(up: EngineStack) -> None:
    before = up.started()
    first = cli(up, "up", "--yes", "--skip-preview")
    assert eventually(lambda: any((up.folder / ".state").rglob("locks/**/*.json")), 20)
    code, output = run(up, "up", "--yes", "--skip-preview")
    said, _ = first.communicate(timeout=120)
    print(output)
    assert (first.returncode, code != 0) == (0, True), said
    assert "locked" in output
    assert up.started() == before


def test_an_up_that_was_killed_half_way_goes_on_when_run_again(up: EngineStack) -> None:
    up.destroy()
    killed = cli(up, "up", "--yes", "--skip-preview")
    assert eventually(lambda: bool(up.containers()), 60)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=30)
    print([found.name for found in up.containers()])
    code, output = run(up, "up", "--yes", "--skip-preview")
    print("AGAIN", code, output)
    print("CANCEL", run(up, "cancel", "--yes"))
    print("REFRESH", run(up, "refresh", "--yes", "--clear-pending-creates"))
    code, output = run(up, "up", "--yes", "--skip-preview")
    print("UP", code, output)
    assert code == 0
    assert up.preview(refresh=True) == {}


def test_a_lost_state_is_made_anew_around_the_surviving_volumes(up: EngineStack) -> None:
    state = up.folder / ".state"
    first = up.query("min_over_time(timestamp(up{job='prometheus'})[1h:3s])")[0]["value"][1]
    for part in (".pulumi/stacks", ".pulumi/history", ".pulumi/backups", ".pulumi/locks"):
        shutil.rmtree(state / part, ignore_errors=True)
    print(run(up, "stack", "init"))
    code, output = run(up, "up", "--yes")
    print("UP", code, output)
    rehearsal.down(up.client, STACK, volumes=False)
    code, output = run(up, "up", "--yes")
    print("UP2", code, output)
    assert code == 0
    assert up.query("min_over_time(timestamp(up{job='prometheus'})[1h:3s])")[0]["value"][1] == first
