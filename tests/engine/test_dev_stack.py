"""The dev stack on the real engine: each test goes on from where the one before left it."""

from __future__ import annotations

import base64
import json
import re
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
import requests
from pulumi import automation

from tests.engine.program import SECRETS, EngineStack, eventually

STACK = "engine-dev"
LIKE = "dev"

CONFIG = {
    "scrapeInterval": "3s",
    "evaluationInterval": "3s",
    "retentionTime": "7d",
    "dashboardsFolder": "tests/live/dashboards",
}
EDITED = "vitalstream-redis", "ward"
NEW_PASSWORD = "canary-rotated-762e7160"


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up."""
    engine.up()
    return engine


def edit(engine: EngineStack, path: str, old: str, new: str) -> None:
    file = engine.folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_up_new_stack_makes_every_container_healthy(up: EngineStack) -> None:
    assert {container.health for container in up.containers()} == {"healthy"}


def test_up_new_stack_scrapes_every_target(up: EngineStack) -> None:
    def scraped() -> bool:
        return {found["value"][1] for found in up.query("up")} == {"1"}

    assert eventually(scraped)


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_preview_refresh_unchanged_stack_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_refresh_dashboard_edited_in_grafana_reverts_it(up: EngineStack) -> None:
    before = {uid: _dashboard(up, uid) for uid in EDITED}
    for uid in EDITED:
        _rename_first_panel(up, uid)
    assert up.preview(refresh=True) == {"update": 2}
    up.stack.refresh(on_output=print)
    assert up.up() == {"update": 2}
    assert {uid: _dashboard(up, uid) for uid in EDITED} == before


def test_up_rule_edited_updates_one_resource_without_restart(up: EngineStack) -> None:
    before = up.started()
    edit(up, "rules/backend.yml", "instance:backend_up:min == 0", "instance:backend_up:min < 1")
    assert up.up() == {"update": 1}
    assert up.rule("BackendDown")["query"] == "instance:backend_up:min < 1"
    assert up.started() == before


def test_preview_invalid_rule_fails_with_promtools_error(up: EngineStack) -> None:
    broken = up.folder / "rules" / "broken.yml"
    broken.write_text("groups: [{name: broken, rules: [{alert: Broken, expr: 'up =='}]}]\n")
    with pytest.raises(automation.CommandError) as refused:
        up.preview()
    broken.unlink()
    assert "could not parse expression" in str(refused.value)


def test_up_invalid_rule_keeps_the_live_rules(up: EngineStack) -> None:
    broken = up.folder / "rules" / "broken.yml"
    broken.write_text("groups: [{name: broken, rules: [{alert: Broken, expr: 'up =='}]}]\n")
    with pytest.raises(automation.CommandError):
        up.up()
    broken.unlink()
    assert up.rule("BackendDown")["health"] == "ok"
    assert up.up() == {}


def test_preview_port_in_use_fails_with_the_fix(up: EngineStack) -> None:
    ports = up.values["ports"]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        up.configure(ports={**ports, "alertmanager": holder.getsockname()[1]})
        with pytest.raises(automation.CommandError, match="is taken by another program: free it"):
            up.preview()
    up.configure(ports=ports)


def test_refresh_file_edited_by_hand_reverts_it(up: EngineStack) -> None:
    volume = f"vitalstream-{STACK}-prometheus-config"
    up.client.containers.run(
        up.values["images"]["prometheus"],
        ["-c", "echo '# by hand' >> /config/rules/host.yml"],
        entrypoint=["sh"],
        user="0:0",
        remove=True,
        volumes={volume: {"bind": "/config", "mode": "rw"}},
    )
    up.stack.refresh(on_output=print)
    assert up.up() == {"update": 1}
    assert up.preview(refresh=True) == {}


def test_up_grafana_password_changed_applies_without_replacement(up: EngineStack) -> None:
    before = up.started()
    up.set_secret("grafanaAdminPassword", NEW_PASSWORD)
    assert "replace" not in up.up()
    assert up.started() == before
    assert _login(up, NEW_PASSWORD) == 200
    assert _login(up, SECRETS["grafanaAdminPassword"]) == 401


def test_up_retention_changed_replaces_only_prometheus_and_keeps_data(up: EngineStack) -> None:
    before = up.started()
    old = up.query("min_over_time(timestamp(up{job='prometheus'})[1h:3s])")[0]["value"][1]
    up.configure(retentionSize="5GB")
    assert up.up() == {"replace": 1}
    after = up.started()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"vitalstream-{STACK}-prometheus"}
    assert up.query("min_over_time(timestamp(up{job='prometheus'})[1h:3s])")[0]["value"][1] == old


def test_state_contains_no_secret(up: EngineStack) -> None:
    kept = [path for path in (up.folder / ".state").rglob("*") if path.is_file()]
    assert [path.name for path in kept if b"canary" in path.read_bytes()] == []
    assert any(b"prometheus-config" in path.read_bytes() for path in kept)


def test_inspect_of_every_container_contains_no_secret(up: EngineStack) -> None:
    for container in up.containers():
        assert "canary" not in json.dumps(container.attrs), container.name


def test_logs_of_every_container_contain_no_secret(up: EngineStack) -> None:
    for container in up.containers():
        assert b"canary" not in container.logs(), container.name


def test_secret_file_is_readable_only_by_the_services_user(up: EngineStack) -> None:
    _, listed = up.container("grafana").exec_run(["ls", "-ln", "/etc/grafana/secrets"])
    assert isinstance(listed, bytes)
    assert re.search(rb"^-r--------\s+1 472 .* admin_password$", listed, re.MULTILINE)


def test_destroy_removes_every_docker_resource(up: EngineStack) -> None:
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])


def _grafana(engine: EngineStack, method: str, path: str, body: Any = None) -> Any:
    """Return the JSON answer to a request with a login session."""
    url = f"http://127.0.0.1:{engine.values['ports']['grafana']}"
    login = {"user": "admin", "password": SECRETS["grafanaAdminPassword"]}
    with requests.Session() as session:
        session.post(f"{url}/login", json=login, timeout=10).raise_for_status()
        answer = session.request(method, f"{url}{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def _dashboard(engine: EngineStack, uid: str) -> dict[str, Any]:
    """Return a dashboard without Grafana's version counters."""
    found = _grafana(engine, "GET", f"/api/dashboards/uid/{uid}")["dashboard"]
    return {key: value for key, value in found.items() if key not in ("id", "version")}


def _rename_first_panel(engine: EngineStack, uid: str) -> None:
    """Save an edited panel title as Grafana's page does."""
    found = _grafana(engine, "GET", f"/api/dashboards/uid/{uid}")
    found["dashboard"]["panels"][0]["title"] = "By hand"
    body = {"dashboard": found["dashboard"], "folderUid": found["meta"]["folderUid"]}
    _grafana(engine, "POST", "/api/dashboards/db", {**body, "message": "", "overwrite": False})


def _login(engine: EngineStack, password: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{engine.values['ports']['grafana']}/api/org"
    )
    credentials = base64.b64encode(f"admin:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
