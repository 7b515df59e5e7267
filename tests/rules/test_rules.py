"""The rules of `rules/`: what every alert must have, and that promtool agrees with their tests."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from components.catalog.integrations import INTEGRATIONS
from components.user_files.rules import RUNBOOKS_URL
from tests import yaml_text
from tests.each import for_each
from tests.rules.narrowed import RuleTests, judged
from tests.rules.rule_files import ALERTS, ISSUED_ALERTS, ROOT, RULE_FILES, TEST_FILES, rules_of

RUNBOOKS = ROOT / "docs" / "runbooks"
RUNBOOK_URL = f"{RUNBOOKS_URL}{{}}.md"
SEVERITIES = {"critical", "warning"}
SERVICES = {"monitoring", *(found.service for found in INTEGRATIONS)}
DASHBOARDS = {
    f"vitalstream-{name}"
    for name in ("overview", "monitoring", *(n for found in INTEGRATIONS for n in found.dashboards))
}
TRAILING_THRESHOLD = re.compile(r"(?:<|>|<=|>=|==|!=) -?\d+(?:\.\d+)?$")
RECORD_NAME = re.compile(r"[a-z][a-z0-9_]*:[a-z0-9_]+:[a-z0-9_]+")

BURN_ALERTS = {
    "Fast": ((("1h", "5m", "> 14.4"), ("6h", "30m", "")), "6", "critical"),
    "Slow": ((("3d", "6h", ""),), "1", "warning"),
}
"""Long and short windows, each with a bound of its own, how many times too fast, and severity."""

WINDOWS = [windows[:2] for pairs, _, _ in BURN_ALERTS.values() for windows in pairs]


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.name)
def test_promtool_accepts_the_rules(promtool: str, file: Path) -> None:
    output = _run(promtool, "check", "rules", "--lint=all", "--lint-fatal", file)
    assert "SUCCESS" in output


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.name)
def test_alerts_fire_and_keep_silent_as_intended(promtool: str, file: Path, tmp_path: Path) -> None:
    tests = RuleTests.read(file, {path.name: path.read_text() for path in RULE_FILES})
    assert judged(promtool, tests, tmp_path) == ""


def test_every_rule_file_has_its_test_file() -> None:
    assert [f"{file.stem}.test.yml" for file in RULE_FILES] == [file.name for file in TEST_FILES]


@for_each("alert", ISSUED_ALERTS)
def test_the_promised_alerts_have_exactly_their_severity_threshold_and_for(alert: str) -> None:
    rule = ALERTS[alert]
    operator_and_threshold = " ".join(rule["expr"].split()[-2:])
    assert (
        rule["labels"]["severity"],
        operator_and_threshold,
        rule["for"],
    ) == ISSUED_ALERTS[alert]


@pytest.mark.parametrize("subject", ["Availability", "Latency"])
@pytest.mark.parametrize("speed", BURN_ALERTS)
def test_the_burn_alerts_have_exactly_their_windows_factor_and_severity(
    speed: str, subject: str
) -> None:
    rule = ALERTS[f"{subject}BudgetBurn{speed}"]
    pairs, factor, severity = BURN_ALERTS[speed]
    series, _, bound = rule["expr"].partition(" > ")
    recorded = {one["record"]: one["expr"] for one in rules_of() if "record" in one}
    expr = recorded[series] if speed == "Fast" else series
    burn = f"job:slo_{subject.lower()}_burn:rate"
    assert (bound, rule["labels"]["severity"]) == (factor, severity)
    assert set(re.findall(rf"{burn}\w+", expr)) == {f"{burn}{pair[0]}_{pair[1]}" for pair in pairs}
    for long, short, own in pairs:
        assert f"{burn}{long}_{short} {own}".strip() in expr


@pytest.mark.parametrize("subject", ["availability", "latency"])
def test_a_burn_over_six_hours_is_silent_when_the_last_5_minutes_are_good(subject: str) -> None:
    recorded = {one["record"]: one["expr"] for one in rules_of() if "record" in one}
    expr = " ".join(recorded[f"job:slo_{subject}_burn:fast"].split())
    assert f"_burn:rate6h_30m and on (job) job:slo_{subject}_bad:ratio_rate5m > on ()" in expr


@pytest.mark.parametrize("subject", ["availability", "latency"])
@pytest.mark.parametrize(("long", "short"), WINDOWS)
def test_a_burn_rate_is_of_both_windows_and_above_the_traffic_floor(
    long: str, short: str, subject: str
) -> None:
    rules = {rule["record"]: rule["expr"] for rule in rules_of() if "record" in rule}
    expr = rules[f"job:slo_{subject}_burn:rate{long}_{short}"]
    bad = {f"job:slo_{subject}_bad:ratio_rate{window}" for window in (long, short)}
    assert set(re.findall(r"job:slo_\w+_bad:ratio_rate\w+", expr)) == bad
    assert "slo:traffic_floor:rate" in expr
    assert f"[{long}]" in expr


def test_no_alert_name_is_used_twice() -> None:
    names = Counter(rule["alert"] for rule in rules_of() if "alert" in rule)
    assert [name for name, times in names.items() if times > 1] == []


def test_no_recorded_name_is_used_twice() -> None:
    names = Counter(rule["record"] for rule in rules_of() if "record" in rule)
    assert [name for name, times in names.items() if times > 1] == []


def test_recorded_names_say_level_metric_and_operation() -> None:
    names = [rule["record"] for rule in rules_of() if "record" in rule]
    assert [name for name in names if not RECORD_NAME.fullmatch(name)] == []


def test_every_recorded_name_in_an_expression_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules_of() if "record" in rule}
    used = {name for rule in rules_of() for name in RECORD_NAME.findall(rule["expr"])}
    assert used - recorded == set()


def test_rules_read_what_is_recorded_before_or_is_listed_as_harmless() -> None:
    groups = [g for file in RULE_FILES for g in yaml_text.load(file.read_text())["groups"]]
    places = {
        rule["record"]: (group["name"], place)
        for group in groups
        for place, rule in enumerate(group["rules"])
        if "record" in rule
    }
    elsewhere, too_early = set(), []
    for group in groups:
        for place, rule in enumerate(group["rules"]):
            for name in RECORD_NAME.findall(rule["expr"]):
                where, recorded = places[name]
                if where != group["name"]:
                    elsewhere.add((group["name"], name))
                elif recorded >= place:
                    too_early.append((rule.get("record") or rule["alert"], name))
    assert too_early == []
    page = (ROOT / "docs" / "reference" / "alert-coverage.md").read_text()
    listed = {
        (row[1], name)
        for row in re.finditer(r"^\| (\w+) \| (`[^|]+) of \w+ \|", page, re.MULTILINE)
        for name in RECORD_NAME.findall(row[2])
    }
    assert elsewhere == listed


@for_each("alert", ALERTS)
def test_an_alert_is_routable_by_severity_and_service(alert: str) -> None:
    labels = ALERTS[alert]["labels"]
    severities = {"none"} if alert == "Watchdog" else SEVERITIES
    assert set(labels) == {"severity", "service"}
    assert labels["severity"] in severities
    assert labels["service"] in SERVICES


@for_each("alert", ALERTS)
def test_an_alert_says_what_where_how_much_and_what_to_do(alert: str) -> None:
    annotations = ALERTS[alert]["annotations"]
    assert set(annotations) == {
        "summary",
        "description",
        "first_step",
        "runbook_url",
        "dashboard_uid",
    }
    assert annotations["summary"]
    assert "$value" in annotations["description"]
    where = r"\.Labels\.(instance|job|certificate)"
    assert alert == "Watchdog" or re.search(where, annotations["description"])
    assert annotations["runbook_url"] == RUNBOOK_URL.format(alert)
    assert annotations["dashboard_uid"] in DASHBOARDS


def test_count_of_instances_in_a_summary_is_that_of_the_alert_itself() -> None:
    """How many are down by the alert's own series, how many are worse by its own ALERTS."""
    counted = {}
    for alert, rule in ALERTS.items():
        queries = re.findall(r"query `(.+?)`", rule["annotations"]["summary"])
        if len(queries) > 1:
            counted[alert] = queries[-1]
    of_one = {name for name in ISSUED_ALERTS if ".Labels.instance" in _description(name)}
    assert of_one <= set(counted)
    for alert, query in counted.items():
        series = ALERTS[alert]["expr"].split("==")[0].strip("( ").split()[0]
        assert query in (
            f"count({series} == 0)",
            f'count(count by (instance) (ALERTS{{alertname="{alert}"}}))',
        )


def _description(alert: str) -> str:
    return str(ALERTS[alert]["annotations"]["description"])


@for_each("alert", ALERTS)
def test_the_first_step_of_an_alert_is_one_short_sentence_and_on_its_runbook(alert: str) -> None:
    step = ALERTS[alert]["annotations"]["first_step"]
    assert re.fullmatch(r"[A-Z].{10,120}[.?]", step)
    assert f"\n**First step:** {step}\n" in (RUNBOOKS / f"{alert}.md").read_text()


@for_each("alert", ALERTS)
def test_an_alert_ends_with_a_comparison_to_one_number(alert: str) -> None:
    assert TRAILING_THRESHOLD.search(ALERTS[alert]["expr"].strip())


def test_every_alert_has_a_runbook_page_and_every_page_an_alert() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)


@for_each("alert", ALERTS)
def test_the_runbook_index_repeats_the_rule(alert: str) -> None:
    rule = ALERTS[alert]
    labels = rule["labels"]
    row = f"| [{alert}]({alert}.md) | {labels['severity']} | {labels['service']} |"
    row += f" {rule.get('for', '0')} |"
    assert row in (RUNBOOKS / "README.md").read_text()
