"""The annotations in other languages: complete, and rendered by promtool with the English tests."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from components.prometheus.rules import stack_rules
from components.rules import translation
from components.rules.rule_set import RuleSet
from components.settings import loader
from tests import yaml_text
from tests.each import for_each
from tests.rules.narrowed import RuleTests, judged
from tests.rules.rule_files import ISSUED_ALERTS, TESTS

ENGLISH = RuleSet.shipped()
TURKISH = translation.translations("tr")
TRANSLATED = translation.apply(ENGLISH, "tr")
# The first alert of each English test of a fault, as Turkish has it.
SUMMARIES = {
    "BackendDown": "Backend'e ulaşılamıyor: backend:8000 (2 backend'den 1 tanesi)",
    "BackendInstanceDown": (
        "Backend'e ulaşılamıyor: b:8000; diğerleri yanıt veriyor (2 backend'den 1 tanesi)"
    ),
    "HighErrorRate": "Backend'de hata oranı %",
    "HighResponseTime": " yavaş: p95 ",
    "HighCPUUsage": "a:9100: CPU kullanımı %90 (3 makineden 2 tanesi)",
    "HighMemoryUsage": ": bellek kullanımı %",
    "DiskSpaceLow": " diskinde %",
    "PostgreSQLDown": "PostgreSQL'e ulaşılamıyor: pg:9187",
    "PostgreSQLTooManyConnections": "PostgreSQL'e 81 bağlantı açık",
    "PostgreSQLSlowQueries": "Bir PostgreSQL transaction'ı ",
    "RedisDown": "Redis'e ulaşılamıyor: redis:9121",
    "RedisHighMemoryUsage": "Redis, bellek sınırının %",
}


def _placeholders(text: str) -> Counter[str]:
    """The actions of a template, whatever white space they take away."""
    return Counter(found.strip("- \n") for found in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL))


def test_alerts_of_the_mission_are_translated() -> None:
    assert set(ISSUED_ALERTS) <= set(TURKISH)


@for_each("alert", TURKISH)
def test_translation_has_every_placeholder_of_the_english_text(alert: str) -> None:
    english = ENGLISH.alerts[alert].annotations
    assert set(TURKISH[alert]) == {"summary", "description", "first_step"}
    for key, text in TURKISH[alert].items():
        assert _placeholders(text) == _placeholders(english[key]), key
        assert text != english[key], key


def test_translation_changes_nothing_but_annotations() -> None:
    for name, file in ENGLISH.files.items():
        assert _without_annotations(TRANSLATED.files[name]) == _without_annotations(file)


def test_translated_rules_of_a_federating_stack_are_accepted(promtool: str, tmp_path: Path) -> None:
    """With overrides and with queries narrowed to the stack's own series, all in one text."""
    values = {
        "grafanaAdminPassword": "a-long-password",
        "postgresPassword": "a-long-password",
        "language": "tr",
        "federation": '[{"stack": "north", "target": "n:9090"}]',
        "alerts": '{"HighErrorRate": {"threshold": 3}, "RedisDown": {"for": "2m"}}',
    }
    settings = loader.parse("test", values, {"grafanaAdminPassword", "postgresPassword"})
    for name, text in stack_rules(settings).files.items():
        (tmp_path / name).write_text(text)
    _run(promtool, "check", "rules", *sorted(tmp_path.glob("*.yml")))
    assert 'count(instance:backend_up:min{stack=""}) > 1' in (tmp_path / "backend.yml").read_text()


@pytest.mark.parametrize("alert", TURKISH)
def test_promtool_renders_the_translation(alert: str, promtool: str, tmp_path: Path) -> None:
    file = ENGLISH.alerts[alert].file
    tests = RuleTests.read(TESTS / file.replace(".yml", ".test.yml"), TRANSLATED.files)
    tests.content["tests"] = _expecting_nothing(alert, tests.content["tests"])
    rendered = re.findall(r"Annotations:\{(.*)\}", judged(promtool, tests, tmp_path))
    assert rendered
    assert any(SUMMARIES[alert] in one for one in rendered), rendered
    for one in rendered:
        assert re.search(r"\{\{|<error|<no value>", one) is None


def _expecting_nothing(alert: str, tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The English tests of an alert's faults, which then say what they got."""
    return [
        {
            **test,
            "alert_rule_test": [
                {**look, "exp_alerts": []}
                for look in test["alert_rule_test"]
                if look["alertname"] == alert
            ],
        }
        for test in tests
        if re.match(rf"{alert}: fault", test["name"])
    ]


def _without_annotations(text: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in rule.items() if key != "annotations"}
        for group in yaml_text.load(text)["groups"]
        for rule in group["rules"]
    ]


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
