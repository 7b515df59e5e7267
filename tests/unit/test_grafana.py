"""Grafana: its container, and the objects that the Grafana provider makes in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime import rpc

from ops.offline import program

OBJECTS = ("Folder", "DataSource", "Dashboard")
UIDS = {
    "vitalstream-overview",
    "vitalstream-api",
    "vitalstream-ecg",
    "vitalstream-postgresql",
    "vitalstream-redis",
    "vitalstream-host",
    "vitalstream-monitoring",
}

every_kind = pytest.mark.parametrize("kind", OBJECTS)


def _envs(view: Any) -> dict[str, str]:
    entries = (entry.partition("=") for entry in view.containers()["grafana"]["envs"])
    return {name: value for name, _, value in entries}


def test_grafana_admin_is_that_of_the_settings(changed: Any) -> None:
    assert _envs(changed)["GF_SECURITY_ADMIN_USER"] == "chief"


@pytest.mark.parametrize("key", ["GF_AUTH_ANONYMOUS_ENABLED", "GF_USERS_ALLOW_SIGN_UP"])
def test_grafana_anonymous_access_and_sign_up_are_off(key: str, view: Any) -> None:
    assert _envs(view)[key] == "false"


def test_grafana_makes_no_outside_requests(view: Any) -> None:
    envs = _envs(view)
    assert {envs[k] for k in envs if k.startswith("GF_ANALYTICS_")} == {"false"}


def test_grafana_password_changed_runs_grafana_cli(view: Any) -> None:
    command = " ".join(view.config("grafana")["on_change_below"]["admin_password"]["run"])
    assert "reset-admin-password" in command


def test_grafana_password_is_read_from_its_file(view: Any) -> None:
    config = view.config("grafana")
    path = f"{config['target']}/admin_password"
    command = config["on_change_below"]["admin_password"]["run"][-1]
    assert command.endswith(f"--password-from-stdin < {path}")


def test_provider_login_is_literal(changed: Any) -> None:
    assert (
        changed.inputs("Provider")["grafana"]["auth"]
        == "chief:canary-of-grafana_admin_password-9f3b"
    )


def test_provider_inputs_are_known_in_the_first_preview(prod: Any) -> None:
    """Require literals: with container outputs, each replacement would update every object."""
    assert rpc.UNKNOWN not in str(program.unwrap(prod.one("Provider", "grafana").inputs))


def test_provider_url_is_the_published_port(changed: Any) -> None:
    assert changed.inputs("Provider")["grafana"]["url"] == "https://192.0.2.7:3300"


@every_kind
def test_objects_are_deleted_with_the_data_volume(kind: str, dev: Any) -> None:
    for found in dev.all(kind).values():
        assert found.deleted_with.endswith("docker:index/volume:Volume::grafana-data")


@every_kind
def test_objects_in_an_external_database_are_deleted_individually(kind: str, prod: Any) -> None:
    assert {found.deleted_with for found in prod.all(kind).values()} == {""}


@every_kind
def test_objects_depend_on_the_healthy_container(kind: str, view: Any) -> None:
    for found in view.all(kind).values():
        assert any(d.endswith("container:Container::grafana") for d in found.dependencies)


@pytest.mark.parametrize("kind", [kind for kind in OBJECTS if kind != "DataSource"])
def test_data_source_is_created_first(kind: str, view: Any) -> None:
    for found in view.all(kind).values():
        assert any(d.endswith("DataSource::prometheus") for d in found.dependencies)


@every_kind
def test_objects_use_the_stacks_provider(kind: str, view: Any) -> None:
    for found in view.all(kind).values():
        assert "pulumi:providers:grafana::grafana" in found.provider


def test_folder_has_a_fixed_uid(view: Any) -> None:
    assert view.inputs("Folder")["folder"]["uid"] == "vitalstream"


def test_data_source_has_a_fixed_uid(view: Any) -> None:
    assert view.inputs("DataSource")["prometheus"]["uid"] == "vitalstream-prometheus"


def test_data_source_is_the_default(view: Any) -> None:
    assert view.inputs("DataSource")["prometheus"]["isDefault"] is True


@pytest.mark.parametrize(
    ("stack", "url"), [("dev", "http://prometheus:9090"), ("prod", "https://prometheus:9090")]
)
def test_data_source_url_is_internal(stack: str, url: str, views: dict[str, Any]) -> None:
    source = views[stack].inputs("DataSource")["prometheus"]
    assert (source["url"], source["accessMode"]) == (url, "proxy")


@pytest.mark.parametrize(("which", "interval"), [("prod", "15s"), ("changed", "30s")])
def test_data_source_interval_is_the_scrape_interval(
    which: str, interval: str, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(which).inputs("DataSource")["prometheus"]
    assert json.loads(source["jsonDataEncoded"])["timeInterval"] == interval


def test_dashboards_have_fixed_uids(view: Any) -> None:
    boards = view.inputs("Dashboard").values()
    assert {json.loads(board["configJson"])["uid"] for board in boards} == UIDS


def test_dashboards_are_in_the_folder(view: Any) -> None:
    folders = {board["folder"] for board in view.inputs("Dashboard").values()}
    assert folders == {"vitalstream"}


def test_dashboards_have_no_id_and_version(view: Any) -> None:
    assert [n for n, board in view.inputs("Dashboard").items() if board.get("message")] == []


def test_dashboard_ranges_are_within_the_retention(changed: Any) -> None:
    board = changed.inputs("Dashboard")["overview"]
    ranges = json.loads(board["configJson"])["timepicker"]["quick_ranges"]
    assert ranges[-1]["from"] == "now-24h"
