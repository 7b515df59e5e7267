"""The user's own rule files: acceptance, default labels, and delivery to Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.catalog.monitored import DEFAULT_MONITORED
from components.prometheus import unscraped_jobs
from components.prometheus.rules import stack_rules
from components.rules import selection
from components.rules.rule_set import shipped_files
from components.user_files import rules as extra_rules
from components.user_files.rules import PREFIX, RUNBOOKS_URL, RuleDefaults
from ops.offline import render
from tests.unit.conftest import stack_config
from tests.unit.extra_rule_files import ALERT, RECORD, changed, from_project, of_rules, of_text

Refused = Callable[..., str]


def test_right_rules_are_taken(tmp_path: Path) -> None:
    assert of_text(tmp_path, of_rules(ALERT, RECORD)) == []


def test_an_alert_needs_no_runbook(tmp_path: Path) -> None:
    assert of_text(tmp_path, of_rules(changed(annotations={}))) == []


def test_an_alert_may_have_one_of_our_runbooks(tmp_path: Path) -> None:
    page = {"runbook_url": f"{RUNBOOKS_URL}BackendDown.md#what-to-do"}
    assert of_text(tmp_path, of_rules(changed(annotations=page))) == []


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
    assert of_text(tmp_path, of_rules(changed(annotations={"runbook_url": url}))) == []


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
    path = from_project(tmp_path / "node.yml")
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
    one, two, three, four = of_text(
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
    found = settings(extraRules=[from_project(tmp_path / "ward.yml")], **values)
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
    view = run_program("dev", extraRules=[from_project(tmp_path / "ward.yaml")])
    assert view.config("prometheus")["files"]["rules/extra-ward.yml"] == text


def test_the_file_is_rendered_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "ward.yml").write_text(of_rules(ALERT))
    config = stack_config("dev", {"extraRules": [from_project(tmp_path / "ward.yml")]})
    rules = {path for path in render.render("dev", config) if path.startswith("rules/")}
    shipped = selection.select(shipped_files(), DEFAULT_MONITORED)
    assert rules == {f"rules/{name}" for name in [*shipped, "extra-ward.yml"]}


def test_no_file_of_ours_is_named_like_one_of_the_users() -> None:
    assert [name for name in shipped_files() if name.startswith(PREFIX)] == []
