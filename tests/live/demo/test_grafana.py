"""The folder, the data source and the dashboards in a real Grafana."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from components.dashboards import DashboardSettings, render_all
from components.grafana.objects import FOLDER_UID, OWN_FOLDER_UID
from components.user_files.dashboards import DATA_SOURCE_UID
from tests import through_grafana
from tests.live.stack import DEMO_SCRAPE_SECONDS, SECRETS, TIMEOUT_SECONDS, Stack

LOGIN = ("admin", SECRETS["grafanaAdminPassword"])
DASHBOARDS = render_all(
    DashboardSettings(stack="live", retention_seconds=7 * 86400, scrape_interval="15s")
)


@pytest.fixture
def grafana(live: Stack) -> str:
    url = live.result.urls.get("grafana")
    if url is None:
        pytest.skip("Grafana is left out: no image of it is available")
    return url


def get(grafana: str, path: str) -> Any:
    answer = requests.get(grafana + path, auth=LOGIN, timeout=TIMEOUT_SECONDS)
    assert answer.ok, answer.text
    return answer.json()


def test_every_dashboard_is_in_its_folder(grafana: str) -> None:
    found = get(grafana, "/api/search?type=dash-db")
    folders = {entry["uid"]: entry.get("folderUid") for entry in found}
    ours = {f"vitalstream-{stem}": FOLDER_UID for stem in DASHBOARDS}
    assert folders == {**ours, "ward": OWN_FOLDER_UID}


def test_a_dashboard_of_the_users_own_has_the_data_source_of_the_stack(grafana: str) -> None:
    (panel,) = get(grafana, "/api/dashboards/uid/ward")["dashboard"]["panels"]
    assert panel["targets"][0]["datasource"]["uid"] == DATA_SOURCE_UID


def test_the_data_source_answers_with_what_prometheus_has(grafana: str) -> None:
    with requests.Session() as session:
        assert through_grafana.values(session, grafana, LOGIN, "vector(46)") == [46]


def test_the_data_source_follows_the_scrape_interval(grafana: str) -> None:
    found = get(grafana, f"/api/datasources/uid/{DATA_SOURCE_UID}")
    assert found["jsonData"]["timeInterval"] == f"{DEMO_SCRAPE_SECONDS}s"


def test_the_default_password_is_refused(grafana: str) -> None:
    answer = requests.get(f"{grafana}/api/org", auth=("admin", "admin"), timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 401
