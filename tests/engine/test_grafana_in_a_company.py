"""Teams, permissions, data sources and a path of Grafana on the real engine and its provider."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from pulumi import automation

from tests.engine.program import SECRETS, EngineStack

STACK = "engine-company"
LIKE = "dev"
TENANT = "canary-tenant-5d41402a"
CONFIG = {
    "demo": False,
    "publicUrls": {"grafana": "https://site.example.com/grafana"},
    "grafana": {
        "settings": {"users": {"default_theme": "light"}},
        "teams": {"icu": []},
        "folderPermissions": [
            {"role": "Viewer", "permission": "View"},
            {"team": "icu", "permission": "Edit"},
        ],
        "dataSources": {
            "second": {"type": "prometheus", "url": "http://prometheus:9090"},
            "records": {
                "type": "grafana-postgresql-datasource",
                "url": "db.example.com:5432",
                "username": "reader",
                "jsonData": {"database": "records", "sslmode": "require"},
            },
        },
    },
}


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    engine.configure()
    engine.stack.set_config(
        "vitalstream:grafana.dataSources.second.httpHeaders.X-Scope-OrgID",
        automation.ConfigValue(TENANT, secret=True),
        path=True,
    )
    # `configure` writes the values again, and would lose the secret among them.
    del engine.values["grafana"]
    engine.up()
    return engine


def grafana(up: EngineStack, path: str, **body: Any) -> requests.Response:
    """Ask as the administrator; with a body, by POST."""
    url = f"http://127.0.0.1:{up.values['ports']['grafana']}/grafana{path}"
    login = ("admin", SECRETS["grafanaAdminPassword"])
    answer = requests.request("POST" if body else "GET", url, auth=login, timeout=10, **body)
    answer.raise_for_status()
    return answer


def test_up_creates_permissions_and_data_sources(up: EngineStack) -> None:
    permissions = grafana(up, "/api/folders/vitalstream/permissions").json()
    found = {one["team"] or one.get("role"): one["permissionName"] for one in permissions}
    assert found["icu"] == "Edit"
    assert found["Viewer"] == "View"
    sources = {one["uid"]: one["type"] for one in grafana(up, "/api/datasources").json()}
    assert sources["second"] == "prometheus"
    assert sources["records"] == "grafana-postgresql-datasource"


def test_up_new_member_is_in_the_team(up: EngineStack) -> None:
    nurse = {"login": "nurse", "email": "nurse@example.com", "password": "canary-nurse-77de68da"}
    grafana(up, "/api/admin/users", json=nurse)
    up.stack.set_config(
        "vitalstream:grafana.teams.icu[0]", automation.ConfigValue(nurse["email"]), path=True
    )
    assert up.up() == {"update": 1}
    (team,) = grafana(up, "/api/teams/search?name=icu").json()["teams"]
    members = grafana(up, f"/api/teams/{team['id']}/members").json()
    assert nurse["email"] in [one["email"] for one in members]


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_preview_refresh_unchanged_stack_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_state_contains_no_header_of_a_data_source(up: EngineStack) -> None:
    kept = [path for path in (up.folder / ".state").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if TENANT.encode() in path.read_bytes()] == []
