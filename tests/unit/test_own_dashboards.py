"""The user's own dashboards: validation, and delivery to Grafana."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.dashboards import DashboardSettings, render_all
from components.user_files import dashboards
from components.user_files.dashboards import RESERVED_PREFIX
from components.user_files.paths import PROJECT_DIR
from ops.offline import render
from tests.unit.conftest import stack_config

Refused = Callable[..., str]

WARD: dict[str, Any] = {"title": "Ward 3", "uid": "ward-3", "panels": [], "schemaVersion": 38}
PROMETHEUS = {
    "name": "DS_PROMETHEUS",
    "type": "datasource",
    "pluginId": "prometheus",
    "pluginName": "Prometheus",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def _write(folder: Path, content: Any, name: str = "ward.json") -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def _problems(folder: Path) -> list[str]:
    return [problem.text for problem in dashboards.problems(folder.name, folder.parent)]


def _loaded(folder: Path) -> dict[str, Any]:
    assert _problems(folder) == []
    found = dashboards.load(folder.name, folder.parent)
    return {uid: json.loads(text) for uid, text in found.items()}


def _panel(uid: Any) -> dict[str, Any]:
    return {"title": "Beds", "datasource": uid, "targets": [{"expr": "beds", "datasource": uid}]}


def _from_project(path: Path) -> str:
    return os.path.relpath(path, PROJECT_DIR)


def test_without_a_folder_there_are_none() -> None:
    assert (dashboards.problems(""), dashboards.load("")) == ([], {})


def test_a_dashboard_is_taken_as_it_is(folder: Path) -> None:
    _write(folder, WARD)
    assert _loaded(folder) == {"ward-3": WARD}


def test_file_without_json_suffix_is_ignored(folder: Path) -> None:
    _write(folder, WARD)
    _write(folder, "Ours.", "README.md")
    assert list(_loaded(folder)) == ["ward-3"]


def test_what_grafana_counts_itself_is_dropped(folder: Path) -> None:
    _write(folder, {**WARD, "id": 7, "version": 12, "iteration": 1})
    assert _loaded(folder) == {"ward-3": WARD}


def test_what_grafanas_api_answers_is_taken(folder: Path) -> None:
    _write(folder, {"meta": {"slug": "ward-3"}, "dashboard": {**WARD, "id": 7}})
    assert _loaded(folder) == {"ward-3": WARD}


def test_the_text_does_not_depend_on_the_order_of_its_keys(folder: Path) -> None:
    _write(folder, WARD)
    first = dashboards.load(folder.name, folder.parent)
    _write(folder, dict(reversed(WARD.items())))
    assert dashboards.load(folder.name, folder.parent) == first


def test_a_file_with_a_byte_order_mark_is_taken(folder: Path) -> None:
    (folder / "ward.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(WARD).encode())
    assert _loaded(folder) == {"ward-3": WARD}


@pytest.mark.parametrize(
    "uid", ["${DS_PROMETHEUS}", {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}]
)
def test_an_export_for_others_gets_the_data_source_of_the_stack(uid: Any, folder: Path) -> None:
    _write(folder, {**WARD, "__inputs": [PROMETHEUS], "__requires": [], "panels": [_panel(uid)]})
    board = _loaded(folder)["ward-3"]
    assert "DS_PROMETHEUS" not in json.dumps(board)
    assert json.dumps(board).count('"vitalstream-prometheus"') == 2
    assert [key for key in board if key.startswith("__")] == []


def test_an_export_for_others_gets_its_constants(folder: Path) -> None:
    constant = {"name": "VAR_WARD", "type": "constant", "value": "three"}
    _write(folder, {**WARD, "__inputs": [constant], "description": "Ward ${VAR_WARD}, ${other}"})
    assert _loaded(folder)["ward-3"]["description"] == "Ward three, ${other}"


def test_a_variable_for_the_data_source_is_left_alone(folder: Path) -> None:
    variable = {"name": "DS_PROMETHEUS", "type": "datasource", "query": "prometheus"}
    board = {**WARD, "templating": {"list": [variable]}, "panels": [_panel("${DS_PROMETHEUS}")]}
    _write(folder, board)
    assert _loaded(folder) == {"ward-3": board}


# What is in the file, and what is said about it.
WRONG = [
    ("{", "is not JSON: "),
    ('{\n"a": 1,\n}', "in line 3"),
    ([WARD], "is not a JSON object"),
    ("null", "is not a JSON object"),
    ({"uid": "ward-3"}, "has no title"),
    ({**WARD, "title": " "}, "has no title"),
    ({**WARD, "title": 3}, "has no title"),
    ({"title": "Ward 3"}, "has no uid"),
    ({**WARD, "uid": None}, "has no uid"),
    ({**WARD, "uid": "ward 3"}, "has the uid ward 3: Grafana takes"),
    ({**WARD, "uid": "w" * 41}, "Grafana takes 40 letters"),
    ({**WARD, "uid": "ward-3\n"}, "Grafana takes"),
    ({**WARD, "uid": "vitalstream-overview"}, "what begins with vitalstream- is of this project"),
    ({**WARD, "uid": "vitalstream-mine"}, "what begins with vitalstream- is of this project"),
    ({"apiVersion": "dashboard.grafana.app/v2", "spec": {}}, "Grafana's newer API"),
    ({**WARD, "__elements": {"a": {}}}, "needs library panels"),
    ({**WARD, "__inputs": [{**PROMETHEUS, "pluginId": "loki", "pluginName": "Loki"}]}, "for Loki"),
    ({**WARD, "__inputs": ["DS"]}, "not a list of objects"),
    ({**WARD, "panels": [_panel("${DS_X}")]}, "has the data source ${DS_X}, which nothing in it"),
    ({**WARD, "panels": [_panel({"uid": "${DS_X}"})]}, "has the data source ${DS_X}"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[str(c)[:60] for c, _ in WRONG])
def test_file_without_dashboard_is_refused(content: Any, words: str, folder: Path) -> None:
    _write(folder, content)
    (problem,) = _problems(folder)
    assert problem.startswith("ward.json ")
    assert words in problem


def test_a_file_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "ward.json").write_bytes(b"\xff\xfe\x00")
    assert _problems(folder) == ["ward.json is not text in UTF-8"]


def test_the_uid_of_another_file_is_refused(folder: Path) -> None:
    _write(folder, WARD, "a.json")
    _write(folder, {**WARD, "title": "Ward 4"}, "b.json")
    assert _problems(folder) == ["b.json has the uid ward-3, which a.json has already"]


def test_the_title_of_another_file_is_refused(folder: Path) -> None:
    """In one folder Grafana would take the second for the first."""
    _write(folder, WARD, "a.json")
    _write(folder, {**WARD, "uid": "ward-4"}, "b.json")
    assert _problems(folder) == ["b.json has the title Ward 3, which a.json has already"]


def test_all_dashboards_of_ours_have_the_reserved_prefix() -> None:
    settings = DashboardSettings(stack="dev", retention_seconds=86400, scrape_interval="15s")
    uids = [json.loads(text)["uid"] for text in render_all(settings).values()]
    assert [uid for uid in uids if not uid.startswith(RESERVED_PREFIX)] == []


def test_an_empty_folder_is_refused(folder: Path) -> None:
    (problem,) = _problems(folder)
    assert problem.startswith("has no .json file in it")


def test_a_dashboard_in_a_deeper_folder_is_not_left_out_in_silence(folder: Path) -> None:
    _write(folder, WARD)
    (folder / "deep").mkdir()
    _write(folder / "deep", WARD)
    (problem,) = _problems(folder)
    assert problem.startswith("has deep/ward.json in a folder of its own")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", "is not there; looked for in "),
        ("file.json", "is a file: name the folder that it is in"),
        ("/etc", "is an absolute path"),
    ],
)
def test_a_path_that_leads_to_no_folder_is_refused(path: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text("{}")
    (problem,) = dashboards.problems(path, tmp_path)
    assert words in problem.text


def test_a_missing_folder_is_a_fault_of_the_settings(refused: Refused) -> None:
    message = refused({"dashboardsFolder": "missing"})
    assert 'vitalstream:dashboardsFolder = "missing" is not there' in message
    assert "fix: pulumi config set dashboardsFolder" in message


def test_wrong_dashboard_fix_names_its_file(folder: Path, refused: Refused) -> None:
    _write(folder, {"title": "Ward 3"})
    path = _from_project(folder)
    assert f"fix: edit {path}/ward.json" in refused({"dashboardsFolder": f"{path}/"})


def test_every_fault_of_every_file_is_reported(folder: Path, refused: Refused) -> None:
    _write(folder, {}, "a.json")
    _write(folder, "{", "b.json")
    assert "3 settings are wrong" in refused({"dashboardsFolder": _from_project(folder)})


@pytest.fixture
def view(folder: Path, run_program: Callable[..., Any]) -> Any:
    """The program with a dashboard that is named like a resource of ours."""
    _write(folder, {**WARD, "uid": "overview"})
    return run_program("dev", dashboardsFolder=_from_project(folder))


def test_grafana_gets_it_in_a_folder_of_its_own(view: Any) -> None:
    assert view.inputs("Dashboard")["own-overview"]["folder"] == "vitalstream-own"
    assert view.inputs("Folder")["own-folder"]["uid"] == "vitalstream-own"


def test_ours_are_as_before(view: Any, dev: Any) -> None:
    own = {"own-overview": view.inputs("Dashboard")["own-overview"]}
    assert view.inputs("Dashboard") == {**dev.inputs("Dashboard"), **own}


def test_without_own_dashboards_there_is_no_folder_for_them(dev: Any) -> None:
    assert list(dev.all("Folder")) == ["folder"]


def test_the_metrics_that_it_reads_are_stored(
    folder: Path, run_program: Callable[..., Any]
) -> None:
    _write(folder, {**WARD, "panels": [_panel("vitalstream-prometheus")]})
    view = run_program("dev", dashboardsFolder=_from_project(folder), keepOnlyWhatIsRead=True)
    config = view.config("prometheus")["files"]["prometheus.yml"]
    assert re.search(r"\bbeds\b", config)


def test_it_is_rendered_beside_the_others(folder: Path) -> None:
    _write(folder, WARD)
    config = stack_config("dev", {"dashboardsFolder": _from_project(folder)})
    files = render.render("dev", config)
    assert json.loads(files["dashboards/own-ward-3.json"]) == WARD
