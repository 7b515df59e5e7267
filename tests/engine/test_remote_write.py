"""A receiver of remote write on the real engine, with its password inside a list."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pulumi import automation

from tests.engine.program import EngineStack

STACK = "engine-remotewrite"
LIKE = "dev"
CONFIG = {"demo": False, "scrapeInterval": "3s", "evaluationInterval": "3s"}
KEY = "vitalstream:remoteWrite"
RECEIVER = {
    "name": "mimir",
    "url": "https://mimir.invalid/api/v1/push",
    "username": "vitalstream",
    "tenant": "clinic",
}
IN_CLEAR_TEXT = "canary-remote-94c0d2e7"
PASSWORD, NEW_PASSWORD = "canary-remote-5b1f0c33", "canary-remote-e07a9d18"
FILE = "/etc/prometheus/remote-write/mimir/password"


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up, without a receiver."""
    engine.up()
    return engine


def write(engine: EngineStack, receivers: list[dict[str, Any]]) -> None:
    path = engine.folder / f"Pulumi.{STACK}.yaml"
    found = yaml.safe_load(path.read_text())
    found["config"][KEY] = receivers
    path.write_text(yaml.safe_dump(found))


def encrypt(engine: EngineStack, password: str) -> None:
    """Encrypt as `pulumi config set --secret --path 'remoteWrite[0].password'` does."""
    value = automation.ConfigValue(password, secret=True)
    engine.stack.set_config(f"{KEY}[0].password", value, path=True)


def reloads(engine: EngineStack) -> int:
    log = engine.container("prometheus").logs().decode(errors="replace")
    return log.count("Completed loading of configuration file")


def running(engine: EngineStack) -> Any:
    return yaml.safe_load(engine.get("prometheus", "/api/v1/status/config")["data"]["yaml"])


def in_file(engine: EngineStack) -> str:
    _, output = engine.container("prometheus").exec_run(["cat", FILE])
    assert isinstance(output, bytes)
    return output.decode()


def test_preview_clear_text_password_is_refused_and_masked(up: EngineStack) -> None:
    write(up, [{**RECEIVER, "password": IN_CLEAR_TEXT}])
    with pytest.raises(automation.CommandError) as refusal:
        up.up()
    words = str(refusal.value)
    assert "pulumi config set --secret --path 'remoteWrite[0].password'" in words
    assert IN_CLEAR_TEXT not in words


def test_up_receiver_added_reloads_without_replacement(up: EngineStack) -> None:
    before = up.started(), reloads(up)
    write(up, [RECEIVER])
    encrypt(up, PASSWORD)
    assert PASSWORD not in (up.folder / f"Pulumi.{STACK}.yaml").read_text()
    assert up.up() == {"update": 1}
    assert (up.started(), reloads(up)) == (before[0], before[1] + 1)
    (section,) = running(up)["remote_write"]
    assert section["basic_auth"] == {"username": "vitalstream", "password_file": FILE}
    assert in_file(up) == PASSWORD


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_up_password_changed_updates_one_resource_without_reload(up: EngineStack) -> None:
    before = up.started(), reloads(up)
    encrypt(up, NEW_PASSWORD)
    assert up.up() == {"update": 1}
    assert (up.started(), reloads(up)) == before
    assert in_file(up) == NEW_PASSWORD


def test_state_contains_no_password_in_clear_text(up: EngineStack) -> None:
    states = [path.read_text() for path in (up.folder / ".state").rglob("*.json")]
    assert states
    assert [state for state in states if PASSWORD in state or NEW_PASSWORD in state] == []


def test_up_unreachable_receiver_removed_reloads_and_deletes_its_file(
    up: EngineStack,
) -> None:
    before = up.started()
    write(up, [])
    assert up.up() == {"update": 1}
    assert up.started() == before
    assert "remote_write" not in running(up)
    status, _ = up.container("prometheus").exec_run(["test", "-e", FILE])
    assert status != 0
