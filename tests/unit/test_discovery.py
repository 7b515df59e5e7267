"""Discovery of backends by DNS names and in files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus import config as prometheus_config
from components.settings import discovery
from components.settings import warnings as setting_warnings
from components.user_files.paths import PROJECT_DIR
from ops.offline import render
from tests.unit.conftest import stack_config

Refused = Callable[..., str]
GROUPS = [{"targets": ["backend-1:8000", "[2001:db8::7]:8000"], "labels": {"rack": "a"}}]
DNS = {"name": "backend.internal", "port": 8000}


def _from_project(path: Path) -> str:
    return os.path.relpath(path, PROJECT_DIR)


def _file(folder: Path, text: str, name: str = "backend.yml") -> str:
    (folder / name).write_text(text)
    return _from_project(folder / name)


def _problems(folder: Path, text: str, name: str = "backend.yml") -> list[str]:
    return [f.text for f in discovery.file_problems([_file(folder, text, name)])]


def _job(settings: Any) -> dict[str, Any]:
    jobs = yaml.safe_load(prometheus_config.render_config(settings))["scrape_configs"]
    found: dict[str, Any] = next(job for job in jobs if job["job_name"] == "backend")
    return found


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        (DNS, {"type": "A", "port": 8000, "refresh_interval": "30s"}),
        (
            {**DNS, "type": "AAAA", "refreshInterval": "1m"},
            {"type": "AAAA", "port": 8000, "refresh_interval": "1m"},
        ),
        (
            {"name": "backend.internal", "type": "SRV"},
            {"type": "SRV", "refresh_interval": "30s"},
        ),
    ],
    ids=["A", "AAAA", "SRV"],
)
def test_prometheus_asks_for_the_records_of_a_name(
    source: dict[str, Any], asked: dict[str, Any], settings: Callable[..., Any]
) -> None:
    job = _job(settings(backendDns=[source], backendTargets=[]))
    assert job["dns_sd_configs"] == [{"names": ["backend.internal"], **asked}]


def test_with_discovery_the_list_may_be_empty(settings: Callable[..., Any]) -> None:
    assert "static_configs" not in _job(settings(backendDns=[DNS], backendTargets=[]))


def test_the_list_goes_on_beside_what_is_discovered(settings: Callable[..., Any]) -> None:
    job = _job(settings(backendDns=[DNS], backendTargets=["api:8000"]))
    assert job["static_configs"] == [{"targets": ["api:8000"]}]


def test_files_are_found_by_kind_below_prometheus_own_folder(
    settings: Callable[..., Any], tmp_path: Path
) -> None:
    paths = [_file(tmp_path, "[]", name) for name in ("a.json", "b.yaml", "c.yml")]
    (found,) = _job(settings(backendTargetFiles=paths))["file_sd_configs"]
    assert found["files"] == [f"/etc/prometheus/targets/*.{kind}" for kind in ("json", "yml")]


def test_one_file_more_is_no_change_of_prometheus_configuration(
    settings: Callable[..., Any], tmp_path: Path
) -> None:
    one, two = (_file(tmp_path, "[]", name) for name in ("a.yml", "b.yml"))
    before, after = (
        prometheus_config.render_config(settings(backendTargetFiles=paths))
        for paths in ([one], [one, two])
    )
    assert before == after


@pytest.mark.parametrize(
    ("name", "delivered"), [("a.yml", "a.yml"), ("a.yaml", "a.yml"), ("a.json", "a.json")]
)
def test_target_file_is_delivered_unchanged_without_reload(
    name: str, delivered: str, run_program: Callable[..., Any], tmp_path: Path
) -> None:
    text = json.dumps(GROUPS)
    view = run_program("dev", backendTargetFiles=[_file(tmp_path, text, name)])
    config = view.config("prometheus")
    assert (config["files"][f"targets/{delivered}"], config["on_change_below"]["targets"]) == (
        text,
        {},
    )


def test_a_stack_without_files_has_nothing_of_them(dev: Any) -> None:
    assert "targets" not in dev.config("prometheus")["on_change_below"]


def test_the_files_are_rendered_for_a_reader(tmp_path: Path) -> None:
    path = _file(tmp_path, json.dumps(GROUPS))
    files = render.render("dev", stack_config("dev", {"backendTargetFiles": [path]}))
    assert json.loads(files["targets/backend.yml"]) == GROUPS


@pytest.mark.parametrize("name", ["backend.yml", "backend.json"])
@pytest.mark.parametrize("groups", [GROUPS, [], [{"targets": []}]], ids=["two", "none", "empty"])
def test_right_groups_are_taken(groups: Any, name: str, tmp_path: Path) -> None:
    assert _problems(tmp_path, json.dumps(groups), name) == []


def test_an_empty_yaml_file_has_no_target(tmp_path: Path) -> None:
    assert _problems(tmp_path, "# none yet\n") == []


NONSENSE = [
    ("a.json", "", "is not JSON: "),
    ("a.json", "- targets: [a:1]", "is not JSON: "),
    ("a.json", '[{"targets": ["a:1"]}', "is not JSON: "),
    ("a.yml", "[{targets: ", "is not YAML: "),
    ("a.yml", "a: 1\n\tb: 2\n", "in line 2"),
    ("a.yml", "backend:8000", "a list of groups"),
    ("a.yml", "targets: [backend:8000]", "a list of groups"),
    ("a.yml", "- backend:8000", "has no list `targets` in its group 1"),
    ("a.yml", "- {target: [a:1]}", "has no list `targets` in its group 1"),
    ("a.yml", "- {targets: [a:1]}\n- {targets: a:1}", "has no list `targets` in its group 2"),
    ("a.yml", "- {targets: [a:1], label: {}}", "has label in its group 1"),
    ("a.yml", "- {targets: ['http://a:1']}", "has http://a:1 in its group 1, which is not host"),
    ("a.yml", "- {targets: [backend]}", "has backend in its group 1, which is not host:port"),
    ("a.yml", "- {targets: ['localhost:8000']}", "write host.docker.internal:8000"),
    ("a.yml", "- {targets: [{a: 1}]}", "which is not host:port"),
    ("a.yml", "- {targets: [a:1, a:1]}", "has a:1, which"),
    ("a.yml", "- {targets: [a:1], labels: [b]}", "has no labels by name in its group 1"),
    ("a.yml", "- {targets: [a:1], labels: {b-c: d}}", "has b-c in its group 1"),
    ("a.yml", "- {targets: [a:1], labels: {rack: 7}}", "a label rack in its group 1"),
    ("a.yml", "- {targets: [a:1], labels: {job: api}}", "sets the label job in its group 1"),
    ("a.yml", "- {targets: [a:1], labels: {stack: x}}", "sets the label stack in its group 1"),
    ("a.yml", "- {targets: [a:1, b:1], labels: {instance: x}}", "one instance"),
    ("a.yml", "- {targets: [a:1], labels: {__address__: b:1}}", "of the labels with __, __metr"),
    ("a.yml", "- {targets: [a:1], labels: {__metrics_path__: m}}", "is not a path"),
    ("a.yml", "- {targets: [a:1], labels: {__scheme__: tls}}", "is not http or https"),
]


@pytest.mark.parametrize(("name", "text", "words"), NONSENSE, ids=[text for _, text, _ in NONSENSE])
def test_nonsense_is_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, text, name)
    assert words in problem


def test_path_and_scheme_of_a_group_are_accepted(tmp_path: Path) -> None:
    labels = "{__metrics_path__: /internal/metrics, __scheme__: https}"
    assert _problems(tmp_path, f"- {{targets: [a:1], labels: {labels}}}", "a.yml") == []


def test_one_backend_in_two_files_is_refused(tmp_path: Path) -> None:
    paths = [_file(tmp_path, "[{targets: [a:1]}]", name) for name in ("a.yml", "b.yml")]
    (problem,) = discovery.file_problems(paths)
    assert (problem.path, "it would count twice" in problem.text) == (("1",), True)


def test_one_backend_in_a_file_and_in_the_list_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = _file(tmp_path, "[{targets: [a:1]}]")
    message = refused({"backendTargetFiles": [path], "backendTargets": ["b:1", "a:1"]})
    assert f'backendTargets.1 = "a:1" is in {path} too' in message


def test_two_files_that_would_get_the_same_name_are_refused(tmp_path: Path) -> None:
    (problem,) = discovery.file_problems([_file(tmp_path, "[]", n) for n in ("a.yml", "a.yaml")])
    assert "would be targets/a.yml, which " in problem.text


def test_invalid_target_file_fix_names_the_file(tmp_path: Path, refused: Refused) -> None:
    path = _file(tmp_path, "- {targets: [backend]}")
    assert f"fix: edit {path}" in refused({"backendTargetFiles": [path]})


def test_a_wrong_source_does_not_make_the_empty_list_wrong(refused: Refused) -> None:
    message = refused({"backendDns": [{"name": "b"}], "backendTargets": []})
    assert "1 setting is wrong" in message


def test_files_without_a_target_are_warned_of(settings: Callable[..., Any], tmp_path: Path) -> None:
    path = _file(tmp_path, "- {targets: []}")
    (warning,) = setting_warnings.no_targets_in_files(
        settings(backendTargetFiles=[path], backendTargets=[])
    )
    assert f"{path} name no target. BackendDown fires" in warning


@pytest.mark.parametrize(
    "others",
    [{"backendTargets": ["a:1"]}, {"backendTargets": [], "backendDns": [DNS]}],
    ids=["a list", "a name"],
)
def test_where_targets_come_from_elsewhere_an_empty_file_is_no_news(
    others: dict[str, Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    path = _file(tmp_path, "[]")
    assert setting_warnings.no_targets_in_files(settings(backendTargetFiles=[path], **others)) == []
