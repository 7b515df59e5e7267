"""A stack on two machines by the real engine: one that is gone, one that is moved away from.

Each test goes on from where the one before left it. Grafana is left out: it has no part in this.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.engine.conftest import chosen_images, copy_program, make_stack
from tests.engine.program import SECRETS, EngineStack
from tests.live import own_engine
from tests.live.own_engine import Machine

STACK = "engine-hosts"
FAR = "far"
NEEDED = ("prometheus", "alertmanager", "node-exporter", "postgres-exporter", "redis-exporter")
PROVIDER = f"urn:pulumi:{STACK}::vitalstream::pulumi:providers:docker::docker-{FAR}"
SECONDS = 300


@dataclass
class Spread:
    """The stack, and its machines by name; `near` is that of `dockerHost`."""

    engine: EngineStack
    machines: dict[str, Machine]

    def pulumi(self, *arguments: str) -> tuple[int, str]:
        """Run the CLI as a user does; return status and output."""
        self.engine.configure()
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", STACK, "--non-interactive", "--color=never"],
            cwd=self.engine.folder,
            env={**os.environ, **self.engine.stack.workspace.env_vars},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return done.returncode, done.stdout + done.stderr

    def preview(self) -> tuple[int, str]:
        return self.pulumi("preview")

    def up(self) -> tuple[int, str]:
        return self.pulumi("up", "--yes", "--skip-preview")

    def started(self, machine: str) -> dict[str, str]:
        """Return the start time of each container, by service."""
        with contextlib.closing(self.machines[machine].client()) as client:
            mine = {"label": f"vitalstream.stack={STACK}"}
            return {
                one.labels["vitalstream.service"]: one.attrs["State"]["StartedAt"]
                for one in client.containers.list(all=True, filters=mine)
            }


def without_grafana(folder: Path) -> Path:
    """Copy the program without Grafana: not every machine has an image."""
    program = folder / "components/stack.py"
    text = program.read_text()
    for call in ("    grafanas = _deploy_grafana(", "    GrafanaObjects(settings, "):
        [line] = [one for one in text.splitlines(keepends=True) if one.startswith(call)]
        text = text.replace(line, "")
    program.write_text(text)
    return folder


@pytest.fixture(scope="module")
def local(docker_client: docker.DockerClient, cli: None) -> dict[str, str]:
    return chosen_images(docker_client, demo=False)


@pytest.fixture(scope="module")
def spread(local: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    needed = sorted({local[service] for service in NEEDED})
    folder = without_grafana(copy_program(tmp_path_factory.mktemp("program")))
    with own_engine.network() as lan:
        near, far = lan.machine(needed), lan.machine(needed)
        values = {
            "images": local,
            "dockerHost": near.url,
            "hostAddress": near.address,
            "hosts": {FAR: {"docker": far.url, "address": far.address}},
            "placement": {"prometheus-2": FAR, "alertmanager-2": FAR},
            "prometheus": {"replicas": 2},
            "alertmanager": {"replicas": 3},
            "postgresAddress": f"{near.address}:5432",
            "redisAddress": f"{near.address}:6379",
        }
        with contextlib.closing(near.client()) as client:
            engine = EngineStack(make_stack(folder, STACK), folder, client, values)
            for key, value in SECRETS.items():
                engine.set_secret(key, value)
            yield Spread(engine, {"near": near, FAR: far})


def test_up_creates_each_service_on_its_host(spread: Spread) -> None:
    code, said = spread.up()
    assert code == 0, said
    assert spread.started(FAR).keys() == {"prometheus-2", "alertmanager-2", f"node-exporter-{FAR}"}
    assert {"prometheus", "alertmanager", "alertmanager-3"} <= spread.started("near").keys()


def test_preview_repeated_changes_nothing(spread: Spread) -> None:
    code, said = spread.pulumi("preview", "--expect-no-changes", "--refresh")
    assert code == 0, said


def test_preview_placement_on_unknown_host_fails(spread: Spread) -> None:
    placement = spread.engine.values["placement"]
    spread.engine.configure(placement={**placement, "prometheus-2": "nowhere"})
    code, said = spread.preview()
    spread.engine.configure(placement=placement)
    assert code != 0
    assert "vitalstream:placement.prometheus-2" in said
    assert f"is an unknown host; vitalstream:hosts has: {FAR}" in said


@pytest.mark.parametrize("command", ["preview", "up"])
def test_unreachable_host_is_reported_and_the_other_host_not_changed(
    spread: Spread, command: str
) -> None:
    before = spread.started("near")
    # What would replace a container and change files on the machine that is there.
    spread.engine.configure(retentionSize="5GB", scrapeInterval="20s")
    spread.machines[FAR].stop_engine()
    try:
        code, said = spread.preview() if command == "preview" else spread.up()
    finally:
        spread.machines[FAR].start_engine()
    assert code != 0
    assert f"No Docker Engine answers on the host {FAR}" in said
    assert f"vitalstream:hosts.{FAR}.docker" in said
    assert spread.started("near") == before
    with contextlib.closing(spread.machines["near"].client()) as client:
        prometheus = client.containers.get(f"vitalstream-{STACK}-prometheus")
        _, config = prometheus.exec_run(["cat", "/etc/prometheus/prometheus.yml"])
    assert b"scrape_interval: 15s" in config


def test_up_after_host_returned_applies_missed_changes(spread: Spread) -> None:
    code, said = spread.up()
    assert code == 0, said
    assert "prometheus-2" in spread.started(FAR)


def test_up_moved_service_is_removed_from_the_old_host(spread: Spread) -> None:
    spread.engine.configure(placement={"prometheus-2": FAR})
    code, said = spread.up()
    assert code == 0, said
    assert "alertmanager-2" in spread.started("near")
    assert "alertmanager-2" not in spread.started(FAR)


def test_host_gone_for_good_is_removed_from_the_state(spread: Spread) -> None:
    """Follow the procedure of docs/operations/hosts.md."""
    spread.machines[FAR].turn_off()
    before = spread.started("near")
    code, said = spread.pulumi(
        "state", "delete", PROVIDER, "--target-dependents", "--force", "--yes"
    )
    assert code == 0, said
    spread.engine.configure(hosts={}, placement={}, prometheus={"replicas": 1})
    code, said = spread.up()
    assert code == 0, said
    after = spread.started("near")
    assert after.keys() == before.keys()
    code, said = spread.pulumi("preview", "--expect-no-changes")
    assert code == 0, said
