import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.metrics import ANOMALY_TYPES, SEVERITIES
from components import dashboards
from components.catalog.monitored import ALL_MONITORED
from components.dashboards import DashboardSettings, panels, render_all
from components.dashboards.frame import DashboardSpec, render
from components.dashboards.panels import COLUMN_PIXELS, OR_NOTHING, GridPos, PanelOptions, Query
from tests import yaml_text
from tests.each import for_each

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400
SETTINGS = DashboardSettings(stack="dev", retention_seconds=7 * DAY, scrape_interval="15s")
RENDERED = render_all(SETTINGS)
DASHBOARDS: dict[str, dict[str, Any]] = {stem: json.loads(text) for stem, text in RENDERED.items()}
PANELS = [(stem, panel) for stem, board in DASHBOARDS.items() for panel in board["panels"]]
every_dashboard = for_each("stem", DASHBOARDS)
every_panel = for_each("stem, panel", PANELS, lambda case: f"{case[0]}: {case[1]['title']}")

TWELVE = [
    "Request Rate by status code",
    "Response Time p95 by endpoint",
    "Error Rate (5xx %)",
    "Active Patients",
    "Anomalies Detected (last hour)",
    "System Uptime",
    "CPU Usage",
    "Memory Usage",
    "Database Connections",
    "Redis Memory",
    "Anomaly Detection by Type",
    "API Endpoint Performance",
]


# What Grafana 12.4 leaves for a table's columns: on a laptop with the menu open, and on a phone.
LAPTOP_COLUMN = 43
PHONE_PIXELS = 340
FRAME_PIXELS = 24
# Of a table with more rows than fit; a phone has its scrollbar above the content.
SCROLLBAR_PIXELS = 17


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "rules").glob("*.yml")):
        for group in yaml_text.load(path.read_text())["groups"]:
            yield from group["rules"]


def panel_of(stem: str, title: str) -> dict[str, Any]:
    return next(p for p in DASHBOARDS[stem]["panels"] if p["title"] == title)


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


def test_the_overview_has_the_twelve_panels_and_the_firing_alerts() -> None:
    alerts = {"Firing Alerts", "Firing Alerts, all"}
    assert {p["title"] for p in DASHBOARDS["overview"]["panels"]} == {*TWELVE, *alerts}


def test_the_overview_has_its_exact_title() -> None:
    assert DASHBOARDS["overview"]["title"] == "VitalStream Overview"


def test_anomalies_by_type_are_a_pie_and_endpoints_a_table() -> None:
    types = [panel_of("overview", title)["type"] for title in TWELVE[-2:]]
    assert types == ["piechart", "table"]


def test_tables_of_every_kind_have_room_for_all_columns_on_a_laptop_and_a_phone() -> None:
    every = replace(SETTINGS, watch=ALL_MONITORED, federates=True)
    boards = [json.loads(text) for text in render_all(every).values()]
    tables = [panel for board in boards for panel in board["panels"] if panel["type"] == "table"]
    needed = {panel["title"]: least_width(panel) for panel in tables}
    around = FRAME_PIXELS + SCROLLBAR_PIXELS
    laptop = {p["title"]: p["gridPos"]["w"] * LAPTOP_COLUMN - around for p in tables}
    assert len(needed) > 6
    assert {title for title, width in needed.items() if width > PHONE_PIXELS} == set()
    assert {title for title, width in needed.items() if width > laptop[title]} == set()


def least_width(table: dict[str, Any]) -> int:
    widths = {
        override["matcher"]["options"]: property_["value"]
        for override in table["fieldConfig"]["overrides"]
        for property_ in override["properties"]
        if property_["id"] in ("custom.width", "custom.minWidth")
    }
    columns = table["transformations"][-1]["options"]["renameByName"].values()
    return sum(widths.get(column, COLUMN_PIXELS) for column in columns)


def test_the_endpoint_table_has_rate_p95_and_errors() -> None:
    transformations = panel_of("overview", "API Endpoint Performance")["transformations"]
    names = transformations[-1]["options"]["renameByName"]
    assert list(names.values()) == ["Rate", "p95", "Errors", "Endpoint"]


def test_the_overview_fits_on_a_screen_of_1920x1080() -> None:
    # A row is 30 pixels and a gap of 8; Grafana's own bars take about 160 of the 1080.
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in DASHBOARDS["overview"]["panels"])
    assert bottom * 38 <= 1080 - 160


def test_the_overview_reads_from_patients_over_the_service_to_the_machines() -> None:
    ordered = sorted(
        (p for p in DASHBOARDS["overview"]["panels"]),
        key=lambda p: (p["gridPos"]["y"], p["gridPos"]["x"]),
    )
    titles = [p["title"] for p in ordered]
    assert titles[:2] == ["Firing Alerts", "Firing Alerts, all"]
    assert titles[2:4] == TWELVE[3:5]
    assert titles[-4:] == TWELVE[6:10]


def test_there_is_a_dashboard_for_each_service() -> None:
    uids = {stem: board["uid"] for stem, board in DASHBOARDS.items()}
    stems = ["overview", "api", "ecg", "postgresql", "redis", "host", "monitoring"]
    assert uids == {stem: f"vitalstream-{stem}" for stem in stems}


@every_panel
def test_every_panel_says_what_it_is(stem: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    said = {
        "title": panel["title"],
        "description": panel["description"],
        "unit": defaults["unit"],
        "noValue": defaults["noValue"],
    }
    assert [name for name, text in said.items() if not text.strip()] == []


@every_panel
def test_every_query_names_what_it_returns(stem: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        grouped = re.search(r"\bby \(([a-z_, ]+)\)", target["expr"])
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert target["legendFormat"] not in ("", "__auto")
        assert not labels or (grouped or "label_replace" in target["expr"])


@every_panel
def test_every_data_source_is_the_variable(stem: str, panel: dict[str, Any]) -> None:
    variable = {"type": "prometheus", "uid": "${datasource}"}
    assert [panel["datasource"], *(t["datasource"] for t in panel["targets"])] == [variable] * (
        1 + len(panel["targets"])
    )


@every_panel
def test_every_raw_rate_follows_the_zoom(stem: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        windows = re.findall(r"\brate\([^\[]*\[([^\]]+)\]", target["expr"])
        assert set(windows) <= {"$__rate_interval"}


@every_panel
def test_panel_with_fixed_window_states_it(stem: str, panel: dict[str, Any]) -> None:
    phrases = {"1h": "last hour", "6h": "last 6 hours", "10m": "10 minutes", "15m": "15 minutes"}
    text = (panel["title"] + " " + panel["description"]).lower()
    for target in panel["targets"]:
        for window in re.findall(r"\[(\d+[smhd])\]", target["expr"]):
            assert phrases[window] in text


@every_panel
def test_every_query_aggregates(stem: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert re.search(r"\b(sum|min|max|avg|count|absent)\b", target["expr"])


@every_panel
def test_stat_of_vanished_series_shows_no_old_value(stem: str, panel: dict[str, Any]) -> None:
    """Grafana shows the last value of the range, so one that ends has to be followed by another."""
    if panel["type"] != "stat" or all(target.get("instant") for target in panel["targets"]):
        return
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert panel["targets"][0]["expr"].endswith(OR_NOTHING)
    assert mapping["options"]["-1"]["text"].strip()


@every_panel
def test_a_stat_that_gets_no_answer_is_red(stem: str, panel: dict[str, Any]) -> None:
    if panel["type"] == "stat":
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["thresholds"]["steps"][0] == {"value": None, "color": "red"}
        assert defaults["noValue"] == "Prometheus gave no answer"


@every_panel
def test_stacked_areas_have_no_line_on_top(stem: str, panel: dict[str, Any]) -> None:
    """That of a share of zero would lie on all others, in its own colour."""
    if panel["type"] == "timeseries":
        custom = panel["fieldConfig"]["defaults"]["custom"]
        stacked = custom.get("stacking", {}).get("mode") == "normal"
        assert (custom["lineWidth"] == 0) is stacked


def test_the_list_of_alerts_has_all_its_columns_while_none_fires() -> None:
    """Grafana names a column for its query only where there are several."""
    targets = panel_of("overview", "Firing Alerts, all")["targets"]
    assert len(targets) == 2
    for target in targets:
        assert target["expr"].endswith('label_replace(vector(0), "alertname", "None", "", "")')


def test_severities_have_their_colours_whatever_comes_first() -> None:
    overrides = panel_of("ecg", "Anomalies by severity")["fieldConfig"]["overrides"]
    colours = {
        entry["matcher"]["options"]: entry["properties"][0]["value"]["fixedColor"]
        for entry in overrides
    }
    assert colours == {"critical": "red", "high": "orange", "medium": "yellow", "low": "blue"}
    assert set(colours) == set(SEVERITIES)


@pytest.mark.parametrize(
    ("stem", "title"),
    [("overview", "Anomaly Detection by Type"), ("ecg", "Anomalies by type")],
)
def test_anomaly_colours_are_fixed_by_type_and_never_green(stem: str, title: str) -> None:
    entries = [
        (entry["matcher"]["options"].strip("/i"), entry["properties"][0]["value"]["fixedColor"])
        for entry in panel_of(stem, title)["fieldConfig"]["overrides"]
    ]
    found = {
        name: [colour for pattern, colour in entries if re.search(pattern, name)][-1]
        for name in (
            *ANOMALY_TYPES,
            "ventricular_fibrillation",
            "critical_arrhythmia",
            "unheard_of",
        )
    }
    assert "green" not in " ".join(found.values())
    assert len({found[name] for name in ANOMALY_TYPES}) == len(ANOMALY_TYPES)
    reds = ("asystole", "ventricular_fibrillation", "critical_arrhythmia")
    assert all(found[name].endswith("red") for name in reds)


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


def link_urls(panel: dict[str, Any]) -> list[str]:
    """Return the URLs of the links in a panel's description and on its values."""
    in_text = re.findall(r"\]\(<([^>]+)>\)", panel["description"])
    return [*in_text, *(link["url"] for link in panel["fieldConfig"]["defaults"]["links"])]


@for_each("title", TWELVE)
def test_panel_of_the_overview_links_to_a_dashboard_with_time_range_and_variables(
    title: str,
) -> None:
    found = [
        re.match(r"/d/([^?]+)\?\$\{__url_time_range\}&\$\{__all_variables\}", url)
        for url in link_urls(panel_of("overview", title))
    ]
    assert found
    uids = {board["uid"] for board in DASHBOARDS.values()} - {"vitalstream-overview"}
    assert all(match and match.group(1) in uids for match in found)


@every_panel
def test_panel_has_no_mark_of_a_link_beside_its_title(stem: str, panel: dict[str, Any]) -> None:
    assert not panel.get("links")


def test_a_drill_down_chooses_a_variable_that_its_target_has() -> None:
    for panel in DASHBOARDS["overview"]["panels"]:
        for url in re.findall(r'"/d/vitalstream-[^"]+', json.dumps(panel["fieldConfig"])):
            for name in re.findall(r"&var-(\w+)=", url):
                stem = url.split("?")[0].removeprefix('"/d/vitalstream-')
                assert name in {v["name"] for v in DASHBOARDS[stem]["templating"]["list"]}


def test_an_alerts_tile_opens_a_dashboard_that_is_there() -> None:
    expr = panel_of("overview", "Firing Alerts")["targets"][0]["expr"]
    renamed = {s: d for d, s in re.findall(r'"dashboard", "(\w+)", "service", "(\w+)"', expr)}
    services = {rule["labels"]["service"] for rule in rules() if "alert" in rule}
    boards = render_all(replace(SETTINGS, watch=ALL_MONITORED))
    assert {renamed.get(service, service) for service in services} <= set(boards)


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
