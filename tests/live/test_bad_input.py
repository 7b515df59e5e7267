"""One invalid input of each kind of the unit tests, passed to the commands: exit status 1, a
readable message, and no change on the Docker Engine.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from components.catalog.images import IMAGES
from components.docker.container import container_name
from components.user_files.paths import PROJECT_DIR
from ops import __main__ as command_line
from ops import backup
from ops.demo import demo
from ops.offline import local_deploy, program
from tests import backup_archives
from tests.each import for_each
from tests.live import own_engine
from tests.live import stack as stacks
from tests.live.own_engine import Machine
from tests.unit import (
    extra_rule_files,
    test_alert_override_refusals,
    test_backup_archive,
    test_bad_certificates,
    test_bad_secrets,
    test_bad_settings,
    test_extra_rule_refusals,
    test_own_dashboards,
    wrong_parts,
)

# As the tables take it to be called. It is alone on its engine.
STACK = "test"
Values = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`values` makes the wrong settings, of which there may be files in the folder given."""

    kind: str
    what: str
    values: Callable[[Path], Values]
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def in_project(path: Path) -> str:
    return str(path.relative_to(PROJECT_DIR))


def rule_file(text: str) -> Callable[[Path], Values]:
    def values(folder: Path) -> Values:
        (folder / "ward.yml").write_text(text)
        return {"extraRules": [in_project(folder / "ward.yml")]}

    return values


def dashboard(content: Any) -> Callable[[Path], Values]:
    def values(folder: Path) -> Values:
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "ward.json").write_text(text)
        return {"dashboardsFolder": in_project(folder)}

    return values


def plain(key: str, value: Any) -> Callable[[Path], Values]:
    return lambda _: {key: value}


def certified(values: Callable[[], dict[str, str]]) -> Callable[[Path], Values]:
    return lambda _: {"tls": True, "webPassword": test_bad_certificates.PASSWORD, **values()}


def cases() -> Iterator[Case]:
    """Yield one of each table: the unit tests try the others with the same function."""
    for rows in (test_bad_settings.WRONG, wrong_parts.WRONG_INSIDE):
        key, value, *_, words = rows[0]
        yield Case("setting", f"{key}={json.dumps(value)}", plain(key, value), words)
    key, value, words = test_bad_secrets.WRONG[0]
    yield Case("secret", f"{key}={value!r}", plain(key, value), words)
    alerts, _, words = test_alert_override_refusals.WRONG[0]
    yield Case("alert", json.dumps(alerts), plain("alerts", alerts), words)
    what, certificate, _, words = test_bad_certificates.WRONG[0]
    yield Case("certificate", what, certified(certificate), words)
    text, words = test_extra_rule_refusals.NO_RULE_FILES[0]
    yield Case("rule file", repr(text), rule_file(text), words)
    parts, words = test_extra_rule_refusals.WRONG_ALERTS[0]
    text = extra_rule_files.of_rules(extra_rule_files.changed(**parts))
    yield Case("rule file", str(parts), rule_file(text), words)
    content, words = test_own_dashboards.WRONG[0]
    yield Case("dashboard", str(content), dashboard(content), words)


CASES = list(cases())


@pytest.fixture(scope="module")
def machine(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Machine]:
    """Create what a restore checks of a stack `prod` before it reads the archive."""
    image = images.get("alertmanager") or IMAGES["alertmanager"].reference
    with own_engine.network() as network:
        made = network.machine([image])
        with contextlib.closing(made.client()) as client:
            name = container_name("prod", "alertmanager")
            client.containers.create(
                image,
                name=name,
                labels={"vitalstream.stack": "prod", "vitalstream.service": "alertmanager"},
                volumes={f"{name}-data": {"bind": "/alertmanager"}},
            )
        yield made


@pytest.fixture(scope="module")
def client(machine: Machine) -> Iterator[docker.DockerClient]:
    found = machine.client()
    yield found
    found.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Create a git-ignored folder in the project for files that settings name."""
    (PROJECT_DIR / "build").mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="live-bad-", dir=PROJECT_DIR / "build"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def untouched(client: docker.DockerClient) -> Iterator[None]:
    """Return whether the engine reports no event and has the same objects as before."""
    before, began = inventory(client), time.time()
    yield
    assert happened(client, began) == []
    assert inventory(client) == before


def inventory(client: docker.DockerClient) -> dict[str, list[str]]:
    return {
        "containers": sorted(found.id or "" for found in client.containers.list(all=True)),
        "images": sorted(found.id or "" for found in client.images.list()),
        "networks": sorted(found.id or "" for found in client.networks.list()),
        "volumes": sorted(found.id or "" for found in client.volumes.list()),
    }


def happened(client: docker.DockerClient, since: float) -> list[str]:
    events = client.events(since=since, until=time.time(), decode=True)
    return [f"{event['Type']} {event['Action']}" for event in events]


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return exit status and output of `python -m ops ...`."""
    before, sys.argv = sys.argv, ["ops", *arguments]
    try:
        command_line.run()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = before
    assert isinstance(status, int)
    return status, capsys.readouterr().err


def test_the_watch_sees_a_change(client: docker.DockerClient) -> None:
    began = time.time()
    volume = client.volumes.create("live-bad-seen")
    changed = inventory(client)["volumes"]
    volume.remove()
    assert "volume create" in happened(client, began)
    assert changed != inventory(client)["volumes"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_settings_and_files_end_the_command_and_touch_nothing(
    case: Case,
    machine: Machine,
    folder: Path,
    untouched: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = case.values(folder)
    secrets = {"grafanaAdminPassword", "postgresPassword"}
    given = {key: stacks.SECRETS[key] for key in secrets}
    config = program.StackConfig.of_values(
        {"dockerHost": machine.url, **given, **values}, set(program.SECRETS)
    )
    # What `make demo` does where there is no Pulumi engine, with these settings.
    monkeypatch.setattr(demo, "up", lambda: local_deploy.up(STACK, config, stacks.say))
    status, said = ended(capsys, "demo")
    assert status == 1
    assert said.startswith("error: ")
    assert case.words in said
    assert "Traceback" not in said


@for_each("damage", test_backup_archive.DAMAGES)
def test_a_damaged_archive_ends_a_restore_and_touches_nothing(
    damage: str,
    client: docker.DockerClient,
    tmp_path: Path,
    untouched: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil, words = test_backup_archive.DAMAGES[damage]
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "vitalstream-prod-20260203T040506Z.tar"
    spoil(backup_archives.good(path))
    refused(client, path, words, capsys, monkeypatch)


@for_each("kind", test_backup_archive.HOSTILE)
def test_a_hostile_archive_ends_a_restore_and_touches_nothing(
    kind: str,
    client: docker.DockerClient,
    tmp_path: Path,
    untouched: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member, words = test_backup_archive.HOSTILE[kind]
    path = tmp_path / "vitalstream-prod-20260203T040506Z.tar"
    backup_archives.with_content(path, backup_archives.tar_of((member, b"")), 0, 1)
    refused(client, path, words, capsys, monkeypatch)


def refused(
    client: docker.DockerClient,
    path: Path,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup, "engine", lambda _stack: client)
    status, said = ended(capsys, "restore", str(path), "--stack", "prod", "--yes")
    assert status == 1
    assert said.startswith("error: ")
    assert words in said
    assert "Traceback" not in said
