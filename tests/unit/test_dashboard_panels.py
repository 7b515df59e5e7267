"""Panels of every dashboard: texts, queries and colours."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.metrics import ANOMALY_TYPES, SEVERITIES
from components.dashboards.panels import OR_NOTHING
from tests.unit.rendered_dashboards import every_panel, panel_of


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


@every_panel
def test_panel_has_no_mark_of_a_link_beside_its_title(stem: str, panel: dict[str, Any]) -> None:
    assert not panel.get("links")
