"""Faults and recovery on the real engine: the table is in docs/operations/failure-modes.md.

Each test goes on from where the one before left it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

import pytest
import requests

from ops.offline import local_deploy
from tests.engine.program import SECRETS, EngineStack, eventually

STACK = "engine-faults"
# What is in Grafana cannot be looked at before Grafana runs again.
FORGET = ("--clear-pending-creates", "--exclude", "**grafana:oss/**")
SERVICES = (
    *("alertmanager", "grafana", "prometheus"),
    *("node-exporter", "postgres-exporter", "redis-exporter"),
)
LIKE = "dev"
CONFIG = {"demo": False, "scrapeInterval": "3s", "evaluationInterval": "3s"}


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up."""
    engine.up()
    return engine


def cli(engine: EngineStack, *arguments: str) -> subprocess.Popen[str]:
    """Start the CLI as a user does, in its own process group."""
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


def test_refresh_container_removed_by_hand_creates_it(up: EngineStack) -> None:
    up.container("node-exporter").remove(force=True)
    code, output = run(up, "up", "--refresh", "--yes", "--skip-preview")
    assert code == 0, output
    assert up.container("node-exporter").health == "healthy"
    assert up.preview(refresh=True) == {}


def test_up_grafana_down_updates_everything_else(up: EngineStack) -> None:
    grafana = up.container("grafana")
    grafana.stop()
    rule = up.folder / "rules" / "backend.yml"
    text = rule.read_text()
    rule.write_text(text.replace("instance:backend_up:min == 0", "instance:backend_up:min < 1"))
    run(up, "up", "--yes", "--skip-preview")
    assert up.rule("BackendDown")["query"] == "instance:backend_up:min < 1"
    rule.write_text(text)
    grafana.start()
    assert eventually(lambda: up.container("grafana").health == "healthy", 60)
    up.up()
    assert up.preview(refresh=True) == {}


def test_container_that_never_gets_healthy_fails_the_up_with_what_it_printed(
    up: EngineStack,
) -> None:
    images = up.values["images"]
    up.configure(images={**images, "node-exporter": images["redis-exporter"]})
    try:
        code, output = run(up, "up", "--yes", "--skip-preview")
        name = up.container("node-exporter").name
    finally:
        up.configure(images=images)
    assert code != 0
    # Between two restarts it runs for a moment.
    assert re.search(f"{name} is (restarting with exit code|.*, restarted )", output), output
    assert "The end of its log:" in output
    code, output = run(up, "up", "--yes", "--skip-preview")
    assert code == 0, output
    assert up.preview(refresh=True) == {}


def test_up_health_check_edited_replaces_every_container(up: EngineStack) -> None:
    """By `replace_on_changes` alone: the provider itself would plan an update, and not do it."""
    before = {found.name: found.id for found in up.containers()}
    file = up.folder / "components" / "docker" / "container.py"
    text = file.read_text()
    assert "retries=3" in text
    file.write_text(text.replace("retries=3", "retries=4"))
    up.up()
    after = {found.name: found.id for found in up.containers()}
    assert {name for name in after if after[name] != before[name]} == set(before)
    assert {found.health for found in up.containers()} == {"healthy"}
    assert up.preview(refresh=True) == {}


def test_unreachable_docker_host_fails_before_any_change(up: EngineStack) -> None:
    before = up.started()
    up.configure(dockerHost="tcp://127.0.0.1:1")
    code, output = run(up, "preview")
    up.configure(dockerHost="unix:///var/run/docker.sock")
    assert code != 0
    assert "127.0.0.1:1" in output
    assert up.started() == before
    assert up.preview() == {}


def test_concurrent_up_is_refused(up: EngineStack) -> None:
    before = up.started()
    first = cli(up, "up", "--yes", "--skip-preview")
    assert eventually(lambda: any((up.folder / ".state").rglob("locks/**/*.json")), 60)
    code, output = run(up, "up", "--yes", "--skip-preview")
    said, _ = first.communicate(timeout=120)
    assert (first.returncode, code != 0) == (0, True), said
    assert "locked" in output
    assert up.started() == before


def clear(engine: EngineStack) -> None:
    """`python -m ops clear`, but for the stack's file, which is not in the project's folder."""
    local_deploy.down(engine.client, STACK, volumes=False)


def test_killed_up_is_repaired_by_cancel_clear_and_up(up: EngineStack) -> None:
    up.configure(retentionSize="5GB", limits={"node-exporter": {"memory": "96m"}})
    killed = cli(up, "up", "--yes", "--skip-preview")
    prometheus = up.container("prometheus").id
    assert eventually(lambda: prometheus not in [found.id for found in up.containers()], 60)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=30)
    code, output = run(up, "up", "--yes", "--skip-preview")
    assert code != 0
    assert "pulumi cancel" in output
    assert run(up, "cancel", "--yes")[0] == 0
    clear(up)
    code, output = run(up, "refresh", "--yes", "--skip-preview", *FORGET)
    assert code == 0, output[-2000:]
    code, output = run(up, "up", "--yes", "--skip-preview")
    assert code == 0, output[-2000:]
    assert up.preview(refresh=True) == {}
    assert len(up.containers()) == len(SERVICES)


def first_sample(engine: EngineStack) -> str:
    found = engine.query("min_over_time(timestamp(up{job='prometheus'})[1h:3s])")
    return str(found[0]["value"][1])


def forget_in_grafana(engine: EngineStack) -> None:
    """Delete Grafana's objects, which a new state would conflict with."""
    url = f"http://127.0.0.1:{engine.values['ports']['grafana']}/api"
    for path in ("folders/vitalstream", "datasources/uid/vitalstream-prometheus"):
        login = ("admin", SECRETS["grafanaAdminPassword"])
        assert requests.delete(f"{url}/{path}", auth=login, timeout=10).ok


def test_lost_state_is_recreated_around_existing_volumes(up: EngineStack) -> None:
    first = first_sample(up)
    shutil.rmtree(up.folder / ".state" / ".pulumi")
    assert run(up, "stack", "init")[0] == 0
    forget_in_grafana(up)
    clear(up)
    code, output = run(up, "up", "--yes", "--skip-preview")
    assert code == 0, output[-2000:]
    assert up.preview(refresh=True) == {}
    assert first_sample(up) == first
