"""The user's own rule files: validation, and delivery to Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.catalog.monitored import DEFAULT_MONITORED
from components.prometheus import unscraped_jobs
from components.prometheus.rules import stack_rules
from components.rules import selection
from components.rules.rule_set import shipped_files
from components.user_files import rules as extra_rules
from components.user_files.paths import PROJECT_DIR
from components.user_files.rules import PREFIX, RUNBOOKS_URL, RuleDefaults
from ops.offline import render
from tests.unit.conftest import stack_config

Refused = Callable[..., str]

ALERT: dict[str, Any] = {
    "alert": "BedsWithoutSignal",
    "expr": "beds_without_signal > 2",
    "for": "1m",
    "labels": {"severity": "critical", "service": "ward"},
    "annotations": {"summary": "{{ $value }} beds", "runbook_url": "https://wiki.example.com/a#b"},
}
RECORD = {"record": "ward:beds:sum", "expr": "sum by (ward) (beds)"}


def of_rules(*rules: Any) -> str:
    return yaml.safe_dump({"groups": [{"name": "ward", "rules": list(rules)}]})


def changed(**parts: Any) -> dict[str, Any]:
    return {**ALERT, **parts}


def _problems(project: Path, *paths: str) -> list[str]:
    return [problem.text for problem in extra_rules.problems(paths, project=project)]


def _of_text(project: Path, text: str) -> list[str]:
    (project / "ward.yml").write_text(text)
    return _problems(project, "ward.yml")


def _from_project(path: Path) -> str:
    return os.path.relpath(path, PROJECT_DIR)


def test_right_rules_are_taken(tmp_path: Path) -> None:
    assert _of_text(tmp_path, of_rules(ALERT, RECORD)) == []


def test_an_alert_needs_no_runbook(tmp_path: Path) -> None:
    assert _of_text(tmp_path, of_rules(changed(annotations={}))) == []


def test_an_alert_may_have_one_of_our_runbooks(tmp_path: Path) -> None:
    page = {"runbook_url": f"{RUNBOOKS_URL}BackendDown.md#what-to-do"}
    assert _of_text(tmp_path, of_rules(changed(annotations=page))) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://wiki.example.com/a",
        "https://runbooks.example.com/{{ $labels.alertname }}#{{ .Labels.instance }}",
        "{{ $labels.runbook }}",
        f"{RUNBOOKS_URL}{{{{ $labels.alertname }}}}.md",
    ],
)
def test_a_runbook_may_be_on_http_or_a_template(url: str, tmp_path: Path) -> None:
    assert _of_text(tmp_path, of_rules(changed(annotations={"runbook_url": url}))) == []


# As public collections have them.
PUBLIC = """\
groups:
  - name: node
    rules:
      # Kept.
      - alert: NodeFull
        expr: node_filesystem_avail_bytes{job="node"} < 1
        labels:
          severity: error  # pages
      - alert: NodeOdd
        expr: node_load1 > 9
        labels: {severity: info, service: odd}
      - {alert: NodeLoad, expr: node_load5 > 9, labels: {severity: info}}
      - record: node:load:max
        expr: max(node_load1)
"""
SEVERITIES = {"error": "critical", "info": "warning"}


def test_default_labels_are_put_into_the_text_of_a_file(
    tmp_path: Path, run_program: Callable[..., Any]
) -> None:
    (tmp_path / "node.yml").write_text(PUBLIC)
    path = _from_project(tmp_path / "node.yml")
    defaults = {"service": "others", "services": {path: "host"}, "severities": SEVERITIES}
    view = run_program("dev", extraRules=[path], extraRulesDefaults=defaults)
    assert view.config("prometheus")["files"]["rules/extra-node.yml"] == (
        PUBLIC.replace("severity: error", 'service: "host"\n          severity: critical')
        .replace("severity: info}", "severity: warning}")
        .replace("{severity: warning}", '{service: "host", severity: warning}')
        .replace("severity: info, service", "severity: warning, service")
    )


def test_the_service_of_every_file_is_a_default(tmp_path: Path) -> None:
    (tmp_path / "node.yml").write_text(PUBLIC)
    defaults = RuleDefaults.model_validate({"service": "host", "severities": SEVERITIES})
    assert extra_rules.problems(["node.yml"], defaults, tmp_path) == []
    rules = extra_rules.load(["node.yml"], defaults, tmp_path)
    assert {a.name: (a.labels["service"], a.severity) for a in rules.alerts.values()} == {
        "NodeFull": ("host", "critical"),
        "NodeOdd": ("odd", "warning"),
        "NodeLoad": ("host", "warning"),
    }


def test_labels_that_several_alerts_share_get_a_default_once(tmp_path: Path) -> None:
    labels = {"severity": "error"}
    text = of_rules(changed(labels=labels), changed(alert="Other", labels=labels))
    assert "*id" in text
    (tmp_path / "ward.yml").write_text(text)
    defaults = RuleDefaults.model_validate({"service": "ward", "severities": SEVERITIES})
    assert extra_rules.problems(["ward.yml"], defaults, tmp_path) == []


def test_what_no_default_covers_is_refused_with_the_setting_for_it(tmp_path: Path) -> None:
    one, two, three, four = _of_text(
        tmp_path,
        of_rules(
            changed(labels={"severity": "error"}),
            changed(alert="Other", labels={"severity": "info"}),
        ),
    )
    for problem in (one, three):
        assert "extraRulesDefaults.severities maps others to them" in problem
    for problem in (two, four):
        assert "extraRulesDefaults.service is for alerts without one" in problem


@pytest.mark.parametrize(
    ("defaults", "path", "words"),
    [
        ({"service": "a: b"}, ".service", "match pattern"),
        ({"service": ""}, ".service", "match pattern"),
        ({"severities": {"error": "page"}}, ".severities.error", "'critical' or 'warning'"),
        ({"services": {"gone.yml": "host"}}, ".services.gone.yml", "is the path of no file"),
        ({"sevice": "host"}, ".sevice", "is an unknown setting"),
    ],
)
def test_wrong_defaults_are_refused(
    defaults: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    message = refused({"extraRulesDefaults": defaults})
    assert "1 setting is wrong" in message
    assert words in next(
        x for x in message.splitlines() if x.startswith(f"  vitalstream:extraRulesDefaults{path} ")
    )


def _warnings(
    tmp_path: Path, settings: Callable[..., Any], *exprs: str, **values: Any
) -> list[str]:
    rules = [changed(alert=f"A{n}", expr=expr) for n, expr in enumerate(exprs)]
    (tmp_path / "ward.yml").write_text(of_rules({**RECORD, "labels": {"job": "ward"}}, *rules))
    found = settings(extraRules=[_from_project(tmp_path / "ward.yml")], **values)
    return [*unscraped_jobs.warnings(found, stack_rules(found))]


def test_rules_on_a_job_that_nothing_scrapes_have_one_warning(
    tmp_path: Path, settings: Callable[..., Any]
) -> None:
    exprs = [f'node_load{n}{{job="node-exporter"}} > 1' for n in (1, 5, 15)]
    (warning,) = _warnings(tmp_path, settings, *exprs, exprs[0])
    assert 'ward.yml reads job="node-exporter" (A0, A1, A2 and 1 more), and nothing' in warning
    assert "there are alertmanager, backend, grafana, node, postgres, prometheus, redis" in warning


@pytest.mark.parametrize(
    ("expr", "values"),
    [
        ('node_load1{job="node"} > 1', {}),
        ('node_load1{job=~"node|node-exporter"} > 1', {}),
        ('node_load1{job!="lab"} > 1', {}),
        ('beds{job="ward"} > 1', {}),
        ("beds > 1", {}),
        (
            'lab{job="lab"} > 1',
            {"scrapeJobs": [{"job_name": "lab", "static_configs": [{"targets": ["lab:1"]}]}]},
        ),
    ],
)
def test_rules_on_a_job_that_is_scraped_have_no_warning(
    expr: str, values: dict[str, Any], tmp_path: Path, settings: Callable[..., Any]
) -> None:
    assert _warnings(tmp_path, settings, expr, **values) == []


def test_rule_file_reaches_prometheus_unchanged(
    tmp_path: Path, run_program: Callable[..., Any]
) -> None:
    text = f"# Ours.\n{of_rules(ALERT)}"
    (tmp_path / "ward.yaml").write_text(text)
    view = run_program("dev", extraRules=[_from_project(tmp_path / "ward.yaml")])
    assert view.config("prometheus")["files"]["rules/extra-ward.yml"] == text


def test_the_file_is_rendered_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "ward.yml").write_text(of_rules(ALERT))
    config = stack_config("dev", {"extraRules": [_from_project(tmp_path / "ward.yml")]})
    rules = {path for path in render.render("dev", config) if path.startswith("rules/")}
    shipped = selection.select(shipped_files(), DEFAULT_MONITORED)
    assert rules == {f"rules/{name}" for name in [*shipped, "extra-ward.yml"]}


def test_no_file_of_ours_is_named_like_one_of_the_users() -> None:
    assert [name for name in shipped_files() if name.startswith(PREFIX)] == []


# What is in the file, what is said about it.
NO_RULE_FILES = [
    ("groups: [", "is not YAML: "),
    ("a: 1\n\tb: 2\n", "in line 2"),
    ("", "has no list `groups`"),
    ("- alert: A\n", "has no list `groups`"),
    ("groups: {}\n", "has no list `groups`"),
    ("groups: []\n", "has no list `groups`"),
    ("groups: [{name: a}]\n", "its group 1 has no list `rules`"),
    ("groups: [{name: a, rules: []}, b]\n", "its group 2 has no list `rules`"),
    (
        of_rules(RECORD, {"expr": "1"}),
        "neither an alert's nor a record's name: rule 2 of group ward",
    ),
    (of_rules("up == 0"), "neither an alert's nor a record's name: rule 1 of group ward"),
]


@pytest.mark.parametrize(("text", "words"), NO_RULE_FILES, ids=[w for _, w in NO_RULE_FILES])
def test_file_without_rules_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (problem,) = _of_text(tmp_path, text)
    assert words in problem


WRONG_ALERTS = [
    ({"labels": {"service": "ward"}}, "without severity"),
    ({"labels": {"service": "ward", "severity": "page"}}, "with severity page"),
    ({"labels": {"service": "ward", "severity": "none"}}, "with severity none"),
    ({"labels": {"service": "ward", "severity": ["critical"]}}, "with severity ['critical']"),
    ({"labels": {"severity": "warning"}}, "without service"),
    ({"labels": {"severity": "warning", "service": " "}}, "without service"),
    ({"annotations": {"runbook_url": "ftp://wiki.example.com"}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": "docs/{{ $labels.alertname }}"}}, "not an http or https"),
    ({"annotations": {"runbook_url": "https://a.example/{{ $labels"}}, "not an http or https"),
    ({"annotations": {"runbook_url": "docs/ward.md"}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": "https://"}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": "https://[wiki"}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": "https://wiki.example.com/a b"}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": 7}}, "not an http or https URL"),
    ({"annotations": {"runbook_url": f"{RUNBOOKS_URL}Ward.md"}}, "no page of docs/runbooks"),
    ({"annotations": {"runbook_url": f"{RUNBOOKS_URL}../alerting.md"}}, "no page of docs/runbooks"),
    ({"alert": "BackendDown"}, "a name that rules/backend.yml has already"),
    ({"alert": "Watchdog"}, "a name that rules/monitoring.yml has already"),
]


@pytest.mark.parametrize(("parts", "words"), WRONG_ALERTS, ids=[str(p) for p, _ in WRONG_ALERTS])
def test_a_wrong_alert_is_refused(parts: dict[str, Any], words: str, tmp_path: Path) -> None:
    (problem,) = _of_text(tmp_path, of_rules(changed(**parts)))
    assert words in problem


def test_an_alert_without_any_label_lacks_both(tmp_path: Path) -> None:
    problems = _of_text(tmp_path, of_rules(changed(labels=None)))
    assert ["severity" in problems[0], "service" in problems[1]] == [True, True]


def test_an_alert_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    (problem,) = _of_text(tmp_path, of_rules(ALERT, ALERT))
    assert "a name that ward.yml has already" in problem


def test_an_alert_of_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(of_rules(ALERT))
    (problem,) = _problems(tmp_path, "a.yml", "b.yml")
    assert "has the alert BedsWithoutSignal, a name that a.yml has already" in problem


def test_a_series_that_ours_record_is_refused(tmp_path: Path) -> None:
    (problem,) = _of_text(tmp_path, of_rules({**RECORD, "record": "job:http_requests:rate5m"}))
    assert "rules/backend.yml records already" in problem


def test_two_files_that_would_get_the_same_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ward.yml").write_text(of_rules(RECORD))
    (problem,) = _problems(tmp_path, "a/ward.yml", "b/ward.yml")
    assert "would be rules/extra-ward.yml, which a/ward.yml is" in problem


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing.yml", "does not exist in "),
        ("folder.yml", "does not exist in "),
        ("/etc/ward.yml", "is an absolute path"),
        ("ward.json", "is not named like a rule file"),
        ("my ward.yml", "is not named like a rule file"),
        (".yml", "is not named like a rule file"),
        ("", "is not named like a rule file"),
    ],
)
def test_a_path_that_leads_to_no_rule_file_is_refused(
    path: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.yml").mkdir()
    (problem,) = _problems(tmp_path, path)
    assert words in problem


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ward.yml").write_bytes(b"\xff\xfe\x00")
    assert _problems(tmp_path, "ward.yml") == ["is not text in UTF-8"]


def test_a_file_of_ours_is_refused_as_a_whole() -> None:
    assert _problems(PROJECT_DIR, "rules/../rules/host.yml") == [
        "is in rules/, whose files Prometheus gets anyway"
    ]


def test_a_missing_file_is_a_fault_of_the_settings(refused: Refused) -> None:
    message = refused({"extraRules": ["a/missing.yml"]})
    assert 'vitalstream:extraRules.0 = "a/missing.yml" does not exist' in message


def test_wrong_rule_fix_names_its_file(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "ward.yml").write_text(of_rules(changed(labels={"service": "ward"})))
    path = _from_project(tmp_path / "ward.yml")
    assert f"without severity, by which alerts are routed; fix: edit {path}" in (
        refused({"extraRules": [path]})
    )


def test_every_fault_of_every_file_is_reported(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "ward.yml").write_text(of_rules(changed(labels={}), changed(alert="RedisDown")))
    paths = [_from_project(tmp_path / "ward.yml"), "missing.yml"]
    assert "4 settings are wrong" in refused({"extraRules": paths})


@pytest.mark.parametrize("value", ["ward.yml", {"a": 1}, [1]])
def test_a_list_of_paths_is_asked_for(value: Any, refused: Refused) -> None:
    assert "vitalstream:extraRules" in refused({"extraRules": value})
