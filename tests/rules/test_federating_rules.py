"""The rules of a stack that federates others: they speak of its own series, and of all of those."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.rules import federation_labels, selection
from components.rules.rule_set import shipped_files
from tests.rules.narrowed import RuleTests, judged

TESTS = Path(__file__).resolve().parent
UP = {f'up{{job="{job}",instance="{job}:1"}}': "1x60" for job in ("alertmanager", "grafana")}
# Without it Alertmanager would answer and not have what its alerts read.
UP['alertmanager_config_last_reload_successful{job="alertmanager",instance="alertmanager:1"}'] = (
    "1x60"
)
WATCHDOG = 'ALERTS{alertname="Watchdog",alertstate="firing",service="monitoring",severity="none"}'


def _judged(promtool: str, *files: Path) -> str:
    """What promtool says against the tests; nothing where they pass."""
    done = subprocess.run(
        [promtool, "test", "rules", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _written(folder: Path, *, narrowed: bool) -> Path:
    rules = folder / "rules"
    rules.mkdir(parents=True)
    for name, text in shipped_files().items():
        (rules / name).write_text(federation_labels.of_rules(text) if narrowed else text)
    return rules


@pytest.mark.parametrize("name", [path.name for path in sorted(TESTS.glob("*.test.yml"))])
def test_they_do_with_its_own_series_what_they_do_elsewhere(
    name: str, promtool: str, tmp_path: Path
) -> None:
    """A label more in a selector can only leave series out: faults and recordings show it."""
    rules = {name: federation_labels.of_rules(text) for name, text in shipped_files().items()}
    tests = RuleTests.read(TESTS / name, rules)
    tests.content["tests"] = [
        test
        for test in tests.content["tests"]
        if any(part in test["name"] for part in (": fault", "records:"))
    ]
    assert judged(promtool, tests, tmp_path) == ""


def _broken_elsewhere(folder: Path, *, narrowed: bool) -> Path:
    """A test that only the Watchdog fires, while all of another stack's series are as bad as can
    be.
    """
    rules = _written(folder, narrowed=narrowed)
    shipped = shipped_files()
    monitoring = {name: shipped[name] for name in selection.select(shipped, ())}
    recorded = {
        rule["record"]
        for text in monitoring.values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    series: dict[str, Any] = dict(UP)
    for name in recorded:
        for value in ("0", "1000"):
            labels = f'job="a",instance="a:{value}",stack="clinic"'
            series[f"{name}{{{labels}}}"] = f"{value}x60"
    test = {
        "rule_files": [str(rules / name) for name in monitoring],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": "14m",
                        "exp_samples": [{"labels": WATCHDOG, "value": 1}],
                    }
                ],
            }
        ],
    }
    path = folder / "elsewhere.test.yml"
    path.write_text(yaml.safe_dump(test))
    return path


def test_what_is_broken_in_another_stack_raises_no_alert_here(
    promtool: str, tmp_path: Path
) -> None:
    assert _judged(promtool, _broken_elsewhere(tmp_path, narrowed=True)) == ""


def test_without_the_narrowing_it_would(promtool: str, tmp_path: Path) -> None:
    # What is recorded here and there is then one series with two writers.
    assert "duplicate sample for timestamp" in _judged(
        promtool, _broken_elsewhere(tmp_path, narrowed=False)
    )
