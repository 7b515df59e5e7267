"""The user's own rule files: which are refused, and with which message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.user_files.paths import PROJECT_DIR
from components.user_files.rules import RUNBOOKS_URL
from tests.unit.extra_rule_files import (
    ALERT,
    RECORD,
    _problems,
    changed,
    from_project,
    of_rules,
    of_text,
)

Refused = Callable[..., str]

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
    (problem,) = of_text(tmp_path, text)
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
    (problem,) = of_text(tmp_path, of_rules(changed(**parts)))
    assert words in problem


def test_an_alert_without_any_label_lacks_both(tmp_path: Path) -> None:
    problems = of_text(tmp_path, of_rules(changed(labels=None)))
    assert ["severity" in problems[0], "service" in problems[1]] == [True, True]


def test_an_alert_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    (problem,) = of_text(tmp_path, of_rules(ALERT, ALERT))
    assert "a name that ward.yml has already" in problem


def test_an_alert_of_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(of_rules(ALERT))
    (problem,) = _problems(tmp_path, "a.yml", "b.yml")
    assert "has the alert BedsWithoutSignal, a name that a.yml has already" in problem


def test_a_series_that_ours_record_is_refused(tmp_path: Path) -> None:
    (problem,) = of_text(tmp_path, of_rules({**RECORD, "record": "job:http_requests:rate5m"}))
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
    path = from_project(tmp_path / "ward.yml")
    assert f"without severity, by which alerts are routed; fix: edit {path}" in (
        refused({"extraRules": [path]})
    )


def test_every_fault_of_every_file_is_reported(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "ward.yml").write_text(of_rules(changed(labels={}), changed(alert="RedisDown")))
    paths = [from_project(tmp_path / "ward.yml"), "missing.yml"]
    assert "4 settings are wrong" in refused({"extraRules": paths})


@pytest.mark.parametrize("value", ["ward.yml", {"a": 1}, [1]])
def test_a_list_of_paths_is_asked_for(value: Any, refused: Refused) -> None:
    assert "vitalstream:extraRules" in refused({"extraRules": value})
