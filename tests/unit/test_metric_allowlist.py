"""Everything is stored, or with `keepOnlyWhatIsRead` what a rule or a dashboard reads."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus import config
from components.promql.dashboard_metrics import read_by_dashboard
from components.promql.metric_allowlist import KeepList, keep_list
from components.promql.rule_metrics import RuleMetrics
from components.rules.rule_set import RuleSet
from components.settings.warnings import warnings
from ops.offline import render
from ops.root import ROOT
from tests import yaml_text
from tests.unit.conftest import STACKS, stack_config

MADE_BY_PROMETHEUS = re.compile("up|scrape_.*|ALERTS|ALERTS_FOR_STATE")


def rule_file(expr: str, **annotations: str) -> str:
    rule = {"alert": "Beds", "expr": expr, "annotations": annotations}
    return yaml.safe_dump({"groups": [{"name": "ward", "rules": [rule]}]})


def read(**files: str) -> RuleMetrics:
    """Return the metrics that rule files read, by file stem."""
    return RuleSet.of({f"{stem}.yml": text for stem, text in files.items()}).metrics_read


def dashboard(expr: str) -> str:
    return json.dumps({"panels": [{"title": "Beds", "type": "stat", "targets": [{"expr": expr}]}]})


def kept(found: KeepList, name: str) -> bool:
    """Match whole names, as Prometheus does; Python's `{0}` is RE2's."""
    return re.fullmatch(found.regex, name) is not None


def of_job(text: str) -> dict[str, list[dict[str, Any]]]:
    jobs = yaml_text.load(text)["scrape_configs"]
    return {job["job_name"]: job.get("metric_relabel_configs", []) for job in jobs}


def regex(files: dict[str, str]) -> str:
    (rule,) = of_job(files["prometheus.yml"])["node"]
    return str(rule["regex"])


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, str]]:
    only = {"keepOnlyWhatIsRead": True}
    return {stack: render.render(stack, stack_config(stack, only)) for stack in STACKS}


def test_every_metric_of_every_rule_and_panel_survives(rendered: dict[str, Any]) -> None:
    for files in rendered.values():
        rules = {path: text for path, text in files.items() if path.startswith("rules/")}
        boards = [text for path, text in files.items() if path.startswith("dashboards/")]
        assert rules
        assert boards
        understood = RuleSet.of(rules).metrics_read
        names = {name for text in boards for name in read_by_dashboard(text).names}
        names |= understood.reads.names - understood.recorded
        scraped = {n for n in names - understood.recorded if not MADE_BY_PROMETHEUS.fullmatch(n)}
        assert scraped
        assert {n for n in scraped if not re.fullmatch(regex(files), n)} == set()


@pytest.mark.parametrize("name", ["go_gc_duration_seconds", "node_load1", "pg_up_", "xpg_up", ""])
def test_a_metric_that_nothing_reads_is_dropped(name: str, rendered: dict[str, Any]) -> None:
    assert [re.fullmatch(regex(files), name) for files in rendered.values()] == [None, None]


def test_what_rules_record_is_not_looked_for_in_scrapes(rendered: dict[str, Any]) -> None:
    assert ":" not in regex(rendered["dev"])


def test_the_list_is_the_same_for_both_stacks(rendered: dict[str, Any]) -> None:
    assert regex(rendered["dev"]) == regex(rendered["prod"])


def test_every_job_has_the_list(rendered: dict[str, Any]) -> None:
    for files in rendered.values():
        rules = of_job(files["prometheus.yml"])
        (wanted,) = rules["prometheus"]
        assert wanted["action"] == "keep"
        assert wanted["source_labels"] == ["__name__"]
        assert [job for job, found in rules.items() if found != [wanted]] == []


def test_the_list_is_written_out_once(rendered: dict[str, Any]) -> None:
    assert rendered["dev"]["prometheus.yml"].count("http_requests_total") == 1


def test_another_panel_is_one_line_more(settings: Callable[..., Any]) -> None:
    texts = [
        config.render_config(settings(), keep_list(RuleSet.shipped().metrics_read, boards))
        for boards in ({}, {"first": dashboard("aaa")}, {"last": dashboard("zzz")})
    ]
    for after in texts[1:]:
        lines = difflib.ndiff(texts[0].splitlines(), after.splitlines())
        changed = [line for line in lines if line[0] in "+-"]
        assert [line.split("|")[-1] for line in changed] in (["aaa"], ["zzz"])


@pytest.fixture
def own_rules(tmp_path: Path) -> Callable[[str], list[str]]:
    """A setting `extraRules` with one alert on the expression."""

    def write(expr: str) -> list[str]:
        content = yaml_text.load(rule_file(expr))
        content["groups"][0]["rules"][0]["labels"] = {"severity": "warning", "service": "ward"}
        (tmp_path / "ward.yml").write_text(yaml.safe_dump(content))
        return [os.path.relpath(tmp_path / "ward.yml", ROOT)]

    return write


def test_a_rule_file_of_the_users_own_counts(
    own_rules: Callable[[str], list[str]], run_program: Callable[..., Any]
) -> None:
    files = run_program("dev", extraRules=own_rules("beds > 2"), keepOnlyWhatIsRead=True).config(
        "prometheus"
    )["files"]
    assert re.fullmatch(regex(files), "beds")


def test_warning_says_why_everything_is_stored(
    own_rules: Callable[[str], list[str]],
    run_program: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    view = run_program("dev", extraRules=own_rules('{job="beds"} > 2'), keepOnlyWhatIsRead=True)
    text = view.config("prometheus")["files"]["prometheus.yml"]
    assert set(map(str, of_job(text).values())) == {"[]"}
    assert [words for words in said if "rules/extra-ward.yml: Beds: " in words]


def test_storing_everything_has_no_warning(
    own_rules: Callable[[str], list[str]],
    run_program: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    run_program("dev", extraRules=own_rules('{job="beds"} > 2'))
    assert [words for words in said if "stored" in words] == []


def test_a_recorded_name_without_a_colon_may_be_scraped_too() -> None:
    rule = {"record": "beds", "expr": "sum(beds)"}
    text = yaml.safe_dump({"groups": [{"name": "ward", "rules": [rule]}]})
    assert kept(keep_list(read(w=text), {}), "beds")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ('{{ printf `beds{ward="%s"} > 0` .Labels.ward | query }}', "beds"),
        ('{{ with query "beds" }}{{ . | first | value | printf "%.1f" }}{{ end }}', "beds"),
        ('{{ query "max(beds)" | first | label "ward" }}', "beds"),
    ],
)
def test_what_a_message_asks_for_is_kept(template: str, name: str) -> None:
    found = keep_list(read(w=rule_file("a", summary=template)), {})
    assert (found.doubts, kept(found, name), kept(found, "ward")) == ((), True, False)


@pytest.mark.parametrize(
    "template", ["{{ $q | query }}", '{{ query (printf "%s" $labels.q) }}', '{{ query "a b" }}']
)
def test_a_message_whose_query_is_not_in_it_is_a_doubt(template: str) -> None:
    (doubt,) = read(w=rule_file("a", summary=template)).doubts
    assert doubt.startswith("rules/w.yml: Beds: ")


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("node_load1", {"node_load1": True, "node_load15": False}),
        ("pg_stat_.*", {"pg_stat_bgwriter_x_total": True, "pg_statio": False}),
        ("a|b", {"a": True, "b": True, "ab": False}),
        ("waits", {"waits_bucket": True, "waits_sum": True, "waits_count": True, "waits_x": False}),
    ],
)
def test_what_the_user_names_is_kept(entry: str, names: dict[str, bool]) -> None:
    found = keep_list(RuleSet.shipped().metrics_read, {}, [entry])
    assert {name: kept(found, name) for name in names} == names
    assert kept(found, "pg_up")


def test_a_pattern_of_a_panel_is_kept_as_a_pattern() -> None:
    found = keep_list(RuleMetrics(), {"ward": dashboard('{__name__=~"bed_.+|ward"}')})
    assert [kept(found, n) for n in ("bed_count", "ward", "bed_", "wards")] == [
        *(True, True),
        *(False, False),
    ]


def test_with_a_query_that_can_read_anything_everything_is_stored() -> None:
    found = keep_list(RuleSet.shipped().metrics_read, {"ward": dashboard('{job="beds"}')})
    assert found.regex == ""
    assert 'the dashboard ward: panel "Beds": `{job="beds"}` reads whatever' in found.warning


def test_every_query_that_reads_anything_is_reported() -> None:
    rules = read(w=rule_file('{job="a"}'))
    found = keep_list(rules, {"ward": dashboard('{job="b"}')})
    assert [doubt.partition(":")[0] for doubt in found.doubts] == [
        "rules/w.yml",
        "the dashboard ward",
    ]


def test_of_our_own_rules_and_dashboards_nothing_is_in_doubt(rendered: dict[str, Any]) -> None:
    files = rendered["prod"]
    boards = {path: text for path, text in files.items() if path.startswith("dashboards/")}
    assert keep_list(RuleSet.shipped().metrics_read, boards).warning == ""


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    "values", [{}, {"keepAllMetrics": True}, {"keepMetrics": ["node_load1"]}], ids=str
)
def test_everything_is_stored_by_default(
    stack: str, values: dict[str, Any], run_program: Callable[..., Any]
) -> None:
    view = run_program(stack, **values)
    text = view.config("prometheus")["files"]["prometheus.yml"]
    assert set(map(str, of_job(text).values())) == {"[]"}


def test_the_settings_names_reach_prometheus(run_program: Callable[..., Any]) -> None:
    view = run_program("prod", keepOnlyWhatIsRead=True, keepMetrics=["node_load1", "go_.*"])
    text = view.config("prometheus")["files"]["prometheus.yml"]
    assert {"{0}|node_load1(_bucket|_count|_sum)?", "{0}|(?:go_.*)"} <= set(text.split())


def test_an_alias_stands_for_nothing_but_the_list(settings: Callable[..., Any]) -> None:
    targets = ["a:1", "b:2"]
    text = config.render_config(
        settings(backendTargets=targets), keep_list(RuleSet.shipped().metrics_read, {})
    )
    assert set(re.findall(r"[&*]\w+", text)) == {"&keep_list", "*keep_list"}


@pytest.mark.parametrize(("old", "new"), [(True, False), (False, True)])
def test_keep_all_metrics_is_taken_where_it_agrees_and_a_warning_says_to_remove_it(
    old: bool, new: bool, settings: Callable[..., Any]
) -> None:
    found = settings(keepAllMetrics=old, keepOnlyWhatIsRead=new)
    words = [one for one in warnings(found) if "keepAllMetrics" in one]
    assert found.keep_only_what_is_read is new
    assert [one.partition("`")[2] for one in words] == [
        "pulumi config rm keepAllMetrics --stack test`"
    ]


@pytest.mark.parametrize(
    ("values", "only"),
    [
        ({"keepAllMetrics": False}, "false"),
        ({"keepAllMetrics": True, "keepOnlyWhatIsRead": True}, "true"),
    ],
    ids=str,
)
def test_keep_all_metrics_is_refused_where_it_contradicts_what_replaces_it(
    values: dict[str, Any], only: str, refused: Callable[..., str]
) -> None:
    message = refused(values)
    says = {"true": "false", "false": "true"}[only]
    assert "1 setting is wrong" in message
    assert f"contradicts keepOnlyWhatIsRead = {only}, which replaces it; fix: " in message
    assert (
        "pulumi config rm keepAllMetrics --stack test; to store what it said, also "
        f"pulumi config set keepOnlyWhatIsRead {says} --stack test"
    ) in message


@pytest.mark.parametrize(("only", "count"), [(False, 1), (True, 0)])
def test_metrics_to_keep_have_a_warning_where_everything_is_kept(
    only: bool, count: int, settings: Callable[..., Any]
) -> None:
    found = settings(keepMetrics=["node_load1"], keepOnlyWhatIsRead=only)
    assert len([one for one in warnings(found) if "vitalstream:keepMetrics" in one]) == count
