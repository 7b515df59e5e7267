"""A stack's own values for alerts: what they change in the rules."""

from __future__ import annotations

import copy
import difflib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.catalog.monitored import DEFAULT_MONITORED
from components.prometheus.rules import stack_rules
from components.rules import exclusions, selection
from components.rules.overrides import AlertOverride, apply, number
from components.rules.rule_set import RuleSet, shipped_files
from components.settings.settings import Settings
from tests import yaml_text
from tests.each import for_each

Make = Callable[..., Settings]

EVERY_FILE = shipped_files()
# Without those that not every stack has.
SHIPPED = {name: EVERY_FILE[name] for name in selection.select(EVERY_FILE, DEFAULT_MONITORED)}
FILE_OF = {
    rule["alert"]: file
    for file, text in EVERY_FILE.items()
    for group in yaml_text.load(text)["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
BOUNDED = [n for n, alert in RuleSet.shipped().alerts.items() if alert.threshold is not None]
every_alert = for_each("alert", FILE_OF)


def _rule(text: str, alert: str) -> dict[str, Any]:
    rules = [rule for group in yaml_text.load(text)["groups"] for rule in group["rules"]]
    found: dict[str, Any] = next(rule for rule in rules if rule.get("alert") == alert)
    return found


def _overridden(alert: str, **fields: Any) -> str:
    override = AlertOverride.model_validate(fields)
    return apply(RuleSet.shipped(), {alert: override}).files[FILE_OF[alert]]


def _with_rule(alert: str, change: Callable[[dict[str, Any]], None]) -> Any:
    """The shipped file's content with one rule changed."""
    content = copy.deepcopy(yaml_text.load(EVERY_FILE[FILE_OF[alert]]))
    for group in content["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == alert:
                change(rule)
    return content


def _changed_lines(alert: str, text: str) -> list[str]:
    lines = difflib.ndiff(EVERY_FILE[FILE_OF[alert]].splitlines(), text.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_a_stack_without_overrides_gets_the_rules_byte_for_byte(settings: Make) -> None:
    assert stack_rules(settings(protectData=True)).files == SHIPPED


def test_a_stack_without_protected_data_has_no_alert_that_asks_for_a_backup(
    settings: Make,
) -> None:
    missing = {"BackupMissing": AlertOverride(enabled=False)}
    rendered = stack_rules(settings()).files
    changed = apply(RuleSet.shipped(), missing).files["backup.yml"]
    assert "BackupMissing" not in changed
    assert rendered == SHIPPED | {"backup.yml": changed}


def test_a_stack_without_protected_data_can_ask_for_a_backup(settings: Make) -> None:
    asked = stack_rules(settings(alerts={"BackupMissing": {"enabled": True}})).files
    assert asked == SHIPPED


def test_an_override_that_sets_nothing_changes_nothing(settings: Make) -> None:
    rendered = stack_rules(settings(alerts={name: {} for name in FILE_OF})).files
    assert rendered == SHIPPED


@for_each("alert", BOUNDED)
def test_a_threshold_replaces_the_number_that_the_expression_ends_with(alert: str) -> None:
    def change(rule: dict[str, Any]) -> None:
        body, _, bound = rule["expr"].rstrip().rpartition(" ")
        rule["expr"] = rule["expr"].replace(f"{body} {bound}", f"{body} 42.5")

    assert yaml_text.load(_overridden(alert, threshold=42.5)) == _with_rule(alert, change)


@for_each("alert", BOUNDED)
def test_a_threshold_changes_one_line(alert: str) -> None:
    signs = [line[0] for line in _changed_lines(alert, _overridden(alert, threshold=42.5))]
    assert signs == ["-", "+"]


@every_alert
def test_for_is_replaced_or_put_where_there_is_none(alert: str) -> None:
    def change(rule: dict[str, Any]) -> None:
        rule["for"] = "17m"

    changed = _overridden(alert, **{"for": "17m"})
    assert yaml_text.load(changed) == _with_rule(alert, change)


@every_alert
def test_for_changes_one_line(alert: str) -> None:
    lines = _changed_lines(alert, _overridden(alert, **{"for": "17m"}))
    assert [line[2:].strip() for line in lines if line[0] == "+"] == ["for: 17m"]


@every_alert
def test_a_severity_is_replaced(alert: str) -> None:
    def change(rule: dict[str, Any]) -> None:
        rule["labels"]["severity"] = "warning"

    changed = _overridden(alert, severity="warning")
    assert yaml_text.load(changed) == _with_rule(alert, change)


@every_alert
def test_a_disabled_alert_is_gone_and_nothing_else(alert: str) -> None:
    content = copy.deepcopy(yaml_text.load(EVERY_FILE[FILE_OF[alert]]))
    for group in content["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != alert]
    assert yaml_text.load(_overridden(alert, enabled=False)) == content


@every_alert
def test_disabling_an_alert_only_takes_lines_away(alert: str) -> None:
    lines = _changed_lines(alert, _overridden(alert, enabled=False))
    assert {line[0] for line in lines} == {"-"}


def test_the_comment_above_a_disabled_alert_goes_with_it() -> None:
    above = "# Without it the three alerts above are silent whatever the host does."
    lines = _overridden("NodeExporterDown", enabled=False).splitlines()
    assert [line for line in lines if line.strip() == above] == []


def test_a_rule_without_a_comment_leaves_no_gap_behind() -> None:
    assert "\n\n\n" not in _overridden("HighMemoryUsage", enabled=False)


def test_several_fields_of_several_alerts_of_a_file_are_all_set(settings: Make) -> None:
    own = {
        "HighErrorRate": {"threshold": 3, "for": "10m", "severity": "warning"},
        "HighResponseTime": {"enabled": False},
        "HighFailedLogins": {"threshold": 20},
    }
    text = stack_rules(settings(alerts=own)).files["backend.yml"]
    errors, logins = _rule(text, "HighErrorRate"), _rule(text, "HighFailedLogins")
    assert (
        errors["expr"].rsplit(maxsplit=1)[-1],
        errors["for"],
        errors["labels"]["severity"],
        logins["expr"].rsplit(maxsplit=1)[-1],
        "HighResponseTime" in text.replace("runbooks/HighResponseTime", ""),
    ) == ("3", "10m", "warning", "20", False)


def test_an_alert_has_the_expression_that_its_file_has() -> None:
    own = {"threshold": 3, "minimumRate": 0.5}
    found = apply(RuleSet.shipped(), {"HighErrorRate": AlertOverride.model_validate(own)})
    written = _rule(found.files["backend.yml"], "HighErrorRate")["expr"]
    assert found.alerts["HighErrorRate"].expr == written
    assert written == (
        "(100 * job:http_request_errors:ratio_rate5m "
        "and on (job) job:http_requests:rate5m >= 0.5) > 3"
    )


def test_a_disabled_alert_leaves_nothing_out_of_a_series(settings: Make) -> None:
    own = {"PostgreSQLSlowQueries": {"exclude": {"usename": ["dump"]}, "enabled": False}}
    assert "usename!~" not in stack_rules(settings(alerts=own)).files["postgresql.yml"]


def test_an_override_leaves_the_other_files_as_they_are(settings: Make) -> None:
    own = {"HighErrorRate": {"threshold": 3}}
    rendered = stack_rules(settings(alerts=own, protectData=True)).files
    assert {file for file in rendered if rendered[file] != SHIPPED[file]} == {"backend.yml"}


@for_each(
    "value, text",
    [(3, "3"), (2.5, "2.5"), (100, "100"), (0, "0"), (1e-7, "0.0000001"), (14.4, "14.4")],
)
def test_a_number_is_written_as_a_person_writes_it(value: float, text: str) -> None:
    assert number(float(value)) == text


def test_an_override_does_not_change_under_way(settings: Make) -> None:
    override = settings(alerts={"HighErrorRate": {"threshold": 3}}).alerts["HighErrorRate"]
    with pytest.raises(ValidationError, match="frozen"):
        override.threshold = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("stack", "alerts"),
    [
        ("prod", {"BackendDown": {"enabled": False, "reason": "moved to another site"}}),
        ("prod", {"HighCPUUsage": {"enabled": False}}),
        ("dev", {"BackendDown": {"enabled": False}}),
    ],
    ids=["with a reason", "a warning", "another stack"],
)
def test_an_alert_can_be_disabled(
    stack: str, alerts: dict[str, Any], run_program: Callable[..., Any]
) -> None:
    rules = run_program(stack, alerts=alerts).config("prometheus")["files"]
    (alert,) = alerts
    assert f"- alert: {alert}\n" not in rules[f"rules/{FILE_OF[alert]}"]


EVERYTHING: dict[str, dict[str, Any]] = {
    "each threshold": {name: {"threshold": 42.5} for name in BOUNDED},
    "each for": {name: {"for": "17m"} for name in FILE_OF},
    "each severity": {name: {"severity": "warning"} for name in FILE_OF if name != "Watchdog"},
    "all disabled": {name: {"enabled": False} for name in FILE_OF},
}


@pytest.mark.parametrize("case", EVERYTHING)
def test_promtool_takes_what_overrides_make(
    case: str, settings: Make, tmp_path: Path, promtool: str
) -> None:
    rendered = stack_rules(settings(alerts=EVERYTHING[case])).files
    for name, text in rendered.items():
        (tmp_path / name).write_text(text)
    command = [promtool, "check", "rules", *(str(tmp_path / name) for name in rendered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        message = "promtool is not on PATH: install Debian's prometheus package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def test_exclusion_keeps_matchers_whose_values_have_braces() -> None:
    selected = exclusions.Selected("a_metric", ("device",), info="a_info", info_labels=("kind",))
    expr = 'a_metric{fstype!~"x{2}"} > 1'
    assert exclusions.narrowed(expr, selected, {"device": ("sda",), "kind": ("old",)}) == (
        '(a_metric{device!~"sda",fstype!~"x{2}"} unless on (job, instance) a_info{kind=~"old"}) > 1'
    )
