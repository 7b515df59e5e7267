"""A stack's own values for alerts: what is taken, what it changes, and what is refused."""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
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
Refused = Callable[..., str]

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


# alerts, path of the fault, what the message must say.
WRONG = [
    (
        {"HighErorRate": {}},
        "HighErorRate",
        "is an unknown alert: rules/*.yml has none of that name; did you mean HighErrorRate?",
    ),
    ({"highCpuUsage": {}}, "highCpuUsage", "did you mean HighCPUUsage?"),
    ({"Zzz": {}}, "Zzz", "is an unknown alert"),
    ({"HighErrorRate": 3}, "HighErrorRate", "valid dictionary"),
    ({"HighErrorRate": {"treshold": 3}}, "HighErrorRate.treshold", "is an unknown setting"),
    ({"HighErrorRate": {"delay": "5m"}}, "HighErrorRate.delay", "is an unknown setting"),
    ({"HighErrorRate": {"threshold": "x"}}, "HighErrorRate.threshold", "valid number"),
    ({"HighErrorRate": {"threshold": True}}, "HighErrorRate.threshold", "is not a number"),
    ({"HighErrorRate": {"threshold": "nan"}}, "HighErrorRate.threshold", "finite number"),
    ({"HighErrorRate": {"for": "10"}}, "HighErrorRate.for", "is not a Prometheus duration"),
    ({"HighErrorRate": {"for": 10}}, "HighErrorRate.for", "valid string"),
    ({"HighErrorRate": {"severity": "page"}}, "HighErrorRate.severity", "'critical' or 'warning'"),
    ({"HighErrorRate": {"enabled": "no"}}, "HighErrorRate.enabled", "valid boolean"),
    ({"HighErrorRate": {"reason": 7}}, "HighErrorRate.reason", "valid string"),
    ({"BackendDown": {"threshold": 1}}, "BackendDown.threshold", "has no threshold to set"),
    ({"Watchdog": {"threshold": 1}}, "Watchdog.threshold", "has no threshold to set"),
    ({"Watchdog": {"severity": "critical"}}, "Watchdog.severity", "Watchdog always fires"),
    ({"HighErrorRate": {"threshold": 100}}, "HighErrorRate.threshold", "could never fire"),
    ({"HighErrorRate": {"threshold": -1}}, "HighErrorRate.threshold", "would always fire"),
    ({"DiskSpaceLow": {"threshold": 0}}, "DiskSpaceLow.threshold", "could never fire"),
    ({"DiskSpaceLow": {"threshold": 101}}, "DiskSpaceLow.threshold", "would always fire"),
    ({"HighResponseTime": {"threshold": -1}}, "HighResponseTime.threshold", "would always fire"),
    ({"HighErrorRate": {"minimumRate": 0}}, "HighErrorRate.minimumRate", "greater than 0"),
    ({"HighErrorRate": {"minimumRate": True}}, "HighErrorRate.minimumRate", "is not a number"),
    (
        {"BackendDown": {"minimumRate": 1}},
        "BackendDown.minimumRate",
        "is not about a share of requests; those that are: HighErrorRate, HighResponseTime, ",
    ),
    (
        {"LatencyBudgetBurnFast": {"minimumRate": 0.1}},
        "LatencyBudgetBurnFast.minimumRate",
        "changes nothing: LatencyBudgetBurnFast needs more than 0.2 a second anyway",
    ),
    (
        {"BackendDown": {"exclude": {"instance": ["a"]}}},
        "BackendDown.exclude",
        "those that have: PostgreSQLSlowQueries (usename, application_name, datname, instance); ",
    ),
    (
        {"DiskSpaceLow": {"exclude": {"usename": ["dump"]}}},
        "DiskSpaceLow.exclude.usename",
        "cannot be narrowed by; it has mountpoint, device, fstype, instance",
    ),
    *(
        (
            {"DiskSpaceLow": {"exclude": {"mountpoint": value}}},
            f"DiskSpaceLow.exclude.mountpoint{place}",
            words,
        )
        for value, place, words in (
            ([".*"], ".0", "matches every value"),
            (["/mnt", "|a"], ".1", "matches every value"),
            (["("], ".0", "is neither a value nor a regular expression"),
            ([], "", "at least 1 item"),
            ("/mnt", "", "valid tuple"),
        )
    ),
]


@for_each("alerts, path, words", WRONG)
def test_a_wrong_override_is_refused_by_its_path(
    alerts: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    lines = refused({"alerts": alerts}).splitlines()
    assert words in next(x for x in lines if x.startswith(f"  vitalstream:alerts.{path} "))


RIGHT = [
    {"HighErrorRate": {"threshold": "2.5"}},
    {"HighErrorRate": {"threshold": 0}},
    {"HighErrorRate": {"threshold": 99.9}},
    {"HighErrorRate": {"for": "0s"}},
    {"DiskSpaceLow": {"threshold": 100}},
    {"HighResponseTime": {"threshold": 250}},
    {"Watchdog": {"for": "1m"}},
    {"BackendDown": {"enabled": True}},
    {"HighErrorRate": {"minimumRate": "0.5"}},
    {"AvailabilityBudgetBurnSlow": {"minimumRate": 2}},
    {"PostgreSQLSlowQueries": {"exclude": {"usename": ["dump"], "datname": ["archive_.+"]}}},
]


@for_each("alerts", RIGHT, json.dumps)
def test_a_right_override_is_taken(alerts: dict[str, Any], settings: Make) -> None:
    assert set(settings(alerts=alerts).alerts) == set(alerts)


def test_two_wrong_overrides_are_both_reported(refused: Refused) -> None:
    message = refused({"alerts": {"BackendDown": {"threshold": 1}, "RedisDown": {"threshold": 1}}})
    assert (
        "alerts.BackendDown.threshold = 1" in message,
        "alerts.RedisDown.threshold = 1" in message,
    ) == (True, True)


@pytest.mark.parametrize(
    ("alerts", "command"),
    [
        ({"HighErorRate": {}}, "pulumi config rm --path 'alerts.HighErorRate'"),
        ({"BackendDown": {"threshold": 1}}, "config rm --path 'alerts.BackendDown.threshold'"),
        ({"BackendDown": {"enabled": False}}, "set --path 'alerts.BackendDown.reason' VALUE"),
    ],
    ids=json.dumps,
)
def test_fix_of_a_wrong_override_is_a_command(
    alerts: dict[str, Any], command: str, refused: Refused
) -> None:
    assert f"{command} --stack prod" in refused({"alerts": alerts}, stack="prod")


@pytest.mark.parametrize("reason", [None, "", "  "])
@pytest.mark.parametrize("alert", ["BackendDown", "Watchdog", "AvailabilityBudgetBurnFast"])
def test_prod_loses_no_alert_that_pages_without_a_reason(
    alert: str, reason: str | None, refused: Refused
) -> None:
    override = {"enabled": False} | ({} if reason is None else {"reason": reason})
    message = refused({"alerts": {alert: override}}, stack="prod")
    assert f"is missing: {alert} is" in message


def test_a_lower_severity_is_no_way_around_the_reason(refused: Refused) -> None:
    override = {"enabled": False, "severity": "warning"}
    message = refused({"alerts": {"BackendDown": override}}, stack="prod")
    assert "alerts.BackendDown.reason" in message


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


def test_a_threshold_moves_the_panels_too(run_program: Callable[..., Any]) -> None:
    view = run_program("dev", alerts={"HighCPUUsage": {"threshold": 65.5}})
    board = json.loads(view.inputs("Dashboard")["overview"]["configJson"])
    cpu = next(panel for panel in board["panels"] if panel["title"] == "CPU Usage")
    steps = cpu["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps if step["value"] is not None] == [65.5]


def _colours(run_program: Callable[..., Any], **override: Any) -> list[str]:
    view = run_program("dev", alerts={"HighErrorRate": override})
    board = json.loads(view.inputs("Dashboard")["overview"]["configJson"])
    panel = next(found for found in board["panels"] if found["title"] == "Error Rate (5xx %)")
    return [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


@pytest.mark.parametrize(
    ("override", "colour"),
    [
        ({}, "red"),
        ({"severity": "warning"}, "orange"),
        ({"enabled": False}, "#808080"),
        ({"severity": "warning", "enabled": False}, "#808080"),
    ],
    ids=json.dumps,
)
def test_a_panel_shows_its_alerts_bound_in_the_colour_of_what_happens_there(
    override: dict[str, Any], colour: str, run_program: Callable[..., Any]
) -> None:
    assert _colours(run_program, **override) == ["green", colour]


def test_a_preview_reminds_of_every_alert_that_is_disabled(
    run_program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    off = {"BackendDown": {"enabled": False, "reason": "moved"}, "RedisDown": {"enabled": False}}
    run_program("dev", alerts={**off, "HighErrorRate": {"threshold": 3}})
    assert warned[-1] == (
        "2 alerts are disabled and will not notify: BackendDown (moved); RedisDown (no reason is "
        "given)"
    )


def test_a_preview_reminds_of_nothing_where_no_alert_is_disabled(
    run_program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    run_program("dev", alerts={"HighErrorRate": {"threshold": 3}})
    assert [words for words in warned if "disabled" in words] == []


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


PAGES = ("BackendDown", "PostgreSQLDown", "RedisDown")
WAITING = (*PAGES, "BackendInstanceDown", "BackendUnavailable")


def test_an_interval_at_which_one_lost_scrape_pages_is_refused_with_both_ways_out(
    refused: Refused,
) -> None:
    message = refused({"scrapeInterval": "1m"})
    line = next(x for x in message.splitlines() if "scrapeInterval" in x)
    assert "1 setting is wrong" in message
    assert [name for name in WAITING if name not in line.partition(":")[2]] == []
    assert "AlertmanagerDown" not in line
    assert "fix: pulumi config set scrapeInterval 30s --stack test, or for each of them" in line
    assert "pulumi config set --path 'alerts.BackendDown.for' 120s --stack test" in line


@pytest.mark.parametrize(
    "values",
    [
        {"scrapeInterval": "30s"},
        {"scrapeInterval": "1m", "alerts": {name: {"for": "2m"} for name in WAITING}},
        {"scrapeInterval": "1m", "alerts": {name: {"enabled": False} for name in WAITING}},
        {"scrapeInterval": "1m", "watch": ["host"], "postgresPassword": ""},
        {"scrapeInterval": "15s", "alerts": {"BackendDown": {"for": "0s"}}},
    ],
    ids=["two fit", "longer waits", "disabled", "not monitored", "a wait of one's own"],
)
def test_an_interval_that_pages_for_no_single_lost_scrape_is_taken(
    values: dict[str, Any], settings: Make
) -> None:
    assert settings(**values).scrape_interval == values["scrapeInterval"]


def test_alerts_that_a_lost_scrape_can_fire_are_known(refused: Refused) -> None:
    message = refused({"scrapeInterval": "2m"})
    assert re.findall(r"\b\w+Down\b|\bBackendUnavailable\b", message.partition(": each")[0]) == [
        *("BackendDown", "BackendInstanceDown", "BackendUnavailable"),
        *("AlertmanagerDown", "PostgreSQLDown", "RedisDown"),
    ]


def test_exclusion_keeps_matchers_whose_values_have_braces() -> None:
    selected = exclusions.Selected("a_metric", ("device",), info="a_info", info_labels=("kind",))
    expr = 'a_metric{fstype!~"x{2}"} > 1'
    assert exclusions.narrowed(expr, selected, {"device": ("sda",), "kind": ("old",)}) == (
        '(a_metric{device!~"sda",fstype!~"x{2}"} unless on (job, instance) a_info{kind=~"old"}) > 1'
    )
