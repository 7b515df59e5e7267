"""Dashboards: layout, links, variables and time ranges, and that their expressions are valid."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import dashboards
from components.dashboards import DashboardSettings, panels, render_all
from components.dashboards.frame import DashboardSpec, render
from components.dashboards.panels import GridPos, PanelOptions, Query
from tests.each import for_each
from tests.unit.rendered_dashboards import (
    DASHBOARDS,
    DAY,
    RENDERED,
    ROOT,
    SETTINGS,
    every_dashboard,
    rules,
)


def expressions(board: dict[str, Any]) -> list[str]:
    from_panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*from_panels, *(entry["target"]["expr"] for entry in board["annotations"]["list"])]


def without_variables(expr: str) -> str:
    return re.sub(
        r"\$(job|endpoint|[a-z]+_instance|[a-z]+_job|instance)\b",
        ".*",
        expr.replace("$__rate_interval", "1m"),
    )


def a_panel(title: str, y: int) -> Any:
    options = PanelOptions(
        title, "Shows nothing.", GridPos(0, y, 12, 4), unit="none", empty="nothing"
    )
    return panels.stat(options, Query("vector(1)", "one"))


def test_there_is_a_dashboard_for_each_service() -> None:
    uids = {stem: board["uid"] for stem, board in DASHBOARDS.items()}
    stems = ["overview", "api", "ecg", "postgresql", "redis", "host", "monitoring"]
    assert uids == {stem: f"vitalstream-{stem}" for stem in stems}


@every_dashboard
def test_panels_lie_on_the_grid_without_overlap(stem: str) -> None:
    cells = [
        (x, y)
        for p in DASHBOARDS[stem]["panels"]
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


@every_dashboard
def test_grafanas_own_counters_are_left_out(stem: str) -> None:
    assert {"id", "version", "iteration"} & set(DASHBOARDS[stem]) == set()


@every_dashboard
def test_the_tags_name_the_project_and_the_stack(stem: str) -> None:
    assert DASHBOARDS[stem]["tags"] == ["vitalstream", "dev"]


@every_dashboard
def test_alerts_and_deployments_are_marked(stem: str) -> None:
    found = {
        entry["name"]: entry["target"]["expr"] for entry in DASHBOARDS[stem]["annotations"]["list"]
    }
    assert 'ALERTS{alertstate="firing"' in found["Firing alerts"]
    assert 'process_start_time_seconds{job="backend"}' in found["Deployments"]


@every_dashboard
def test_every_variable_that_is_used_is_defined(stem: str) -> None:
    board = DASHBOARDS[stem]
    defined = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$([a-z]\w*)", " ".join(expressions(board))))
    assert used | {"datasource"} == defined


@every_dashboard
def test_the_dashboard_links_back_to_the_overview(stem: str) -> None:
    ways = [link for link in DASHBOARDS[stem]["links"] if link["keepTime"] and link["includeVars"]]
    reached = {link.get("url") for link in ways} | {tag for link in ways for tag in link["tags"]}
    assert ("/d/vitalstream-overview" in reached) is (stem != "overview")
    assert "vitalstream" in reached


@pytest.mark.parametrize("days", [7, 30])
def test_no_quick_range_is_longer_than_the_retention(days: int) -> None:
    rendered = render_all(replace(SETTINGS, retention_seconds=days * DAY))
    seconds = {"m": 60, "h": 3600, "d": DAY}
    for text in rendered.values():
        offered = [r["from"] for r in json.loads(text)["timepicker"]["quick_ranges"]]
        lengths = [int(r[4:-1]) * seconds[r[-1]] for r in offered]
        assert max(lengths) == days * DAY


@every_dashboard
def test_the_range_at_opening_is_one_that_is_offered(stem: str) -> None:
    board = DASHBOARDS[stem]
    assert board["time"]["from"] in {r["from"] for r in board["timepicker"]["quick_ranges"]}


def test_a_retention_shorter_than_the_range_at_opening_is_refused() -> None:
    with pytest.raises(ValueError, match="3599"):
        DashboardSettings(stack="dev", retention_seconds=3599, scrape_interval="15s")


def test_no_panel_asks_for_points_closer_than_the_scrapes() -> None:
    boards = [json.loads(t) for t in render_all(replace(SETTINGS, scrape_interval="40s")).values()]
    assert {panel["interval"] for board in boards for panel in board["panels"]} == {"40s"}


def test_the_text_is_the_same_in_another_process() -> None:
    program = (
        "import hashlib, components.dashboards as d;"
        f"r = d.render_all(d.DashboardSettings('dev', {7 * DAY}, '15s'));"
        "print(''.join(k + r[k] for k in r), end='')"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert done.stdout == "".join(stem + text for stem, text in RENDERED.items())


def test_a_panel_added_in_the_middle_changes_nothing_else() -> None:
    first, new, last = a_panel("First", 0), a_panel("New", 4), a_panel("Last", 8)
    before = json.loads(render(DashboardSpec("s", "S", "d", [first, last]), SETTINGS))
    after = json.loads(render(DashboardSpec("s", "S", "d", [first, new, last]), SETTINGS))
    del after["panels"][1]
    assert after == before


@every_dashboard
def test_a_panel_more_in_a_dashboard_of_ours_changes_nothing_else(
    stem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_one_more(spec: DashboardSpec, settings: DashboardSettings) -> str:
        middle = len(spec.panels) // 2
        more = [*spec.panels[:middle], a_panel("New", 99), *spec.panels[middle:]]
        return render(replace(spec, panels=more), settings)

    monkeypatch.setattr(dashboards, "render", with_one_more)
    after = json.loads(render_all(SETTINGS)[stem])
    added = [panel for panel in after["panels"] if panel["title"] == "New"]
    assert len(added) == 1
    after["panels"].remove(added[0])
    assert after == DASHBOARDS[stem]


def test_two_panels_of_one_title_are_refused() -> None:
    with pytest.raises(ValueError, match="'Same' and 'Same'"):
        render(DashboardSpec("s", "S", "d", [a_panel("Same", 0), a_panel("Same", 4)]), SETTINGS)


def test_every_recorded_series_is_one_of_the_rules() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    queries = itertools.chain.from_iterable(expressions(board) for board in DASHBOARDS.values())
    variables = [
        variable["definition"]
        for board in DASHBOARDS.values()
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]
    used = {
        name
        for expr in [*queries, *variables]
        for name in re.findall(r"\b[a-z_]+:[a-zA-Z0-9_:]+", re.sub(r'"[^"]*"', '""', expr))
    }
    assert used - recorded == set()
    assert used


@every_dashboard
def test_every_expression_is_one_that_prometheus_parses(stem: str, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on PATH (Debian: apt-get install prometheus)")
    found = [
        {"record": f"expression_{n}", "expr": without_variables(expr)}
        for n, expr in enumerate(expressions(DASHBOARDS[stem]))
    ]
    path = tmp_path / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": stem, "rules": found}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("stem", "job"), [("postgresql", "postgres"), ("redis", "redis"), ("host", "node")]
)
def test_dashboard_of_an_exporter_separates_jobs(stem: str, job: str) -> None:
    variables = {v["name"]: v.get("definition", "") for v in DASHBOARDS[stem]["templating"]["list"]}
    assert f'job=~"${job}_job"' in variables[f"{job}_instance"]
    without = {
        name
        for panel in DASHBOARDS[stem]["panels"]
        for target in panel["targets"]
        if f"${job}_job" not in target["expr"] and "backend" not in target["expr"]
        for name in re.findall(r"\b[a-z_]+:[a-zA-Z0-9_:]+", target["expr"])
    }
    assert all(name.startswith("instance_mountpoint:") for name in without)


@for_each("panel", DASHBOARDS["api"]["panels"], lambda panel: panel["title"])
def test_api_panel_is_of_the_chosen_instances_or_says_that_it_is_of_all(
    panel: dict[str, Any],
) -> None:
    chosen = ["$backend_instance" in target["expr"] for target in panel["targets"]]
    assert all(chosen) or "all backends" in panel["description"]


def test_a_variable_that_links_hand_on_means_the_same_everywhere() -> None:
    meanings: dict[str, set[str]] = {}
    for board in DASHBOARDS.values():
        for variable in board["templating"]["list"]:
            meanings.setdefault(variable["name"], set()).add(json.dumps(variable["query"]))
    assert [name for name, queries in meanings.items() if len(queries) > 1] == []
