"""What a dashboard's JSON reads: ours, and those that others made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.promql.dashboard_metrics import read_by_dashboard
from components.promql.metrics import UnknownMetricsError


def board(*panels: dict[str, Any], **parts: Any) -> str:
    return json.dumps({"title": "Ward", "panels": list(panels), **parts})


def panel(expr: str, **parts: Any) -> dict[str, Any]:
    return {"title": "Beds", "type": "timeseries", "targets": [{"expr": expr}], **parts}


def variables(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"list": [{"type": "query", "name": "bed", **entry} for entry in entries]}


def of_variable(query: Any, **parts: Any) -> str:
    return board(templating=variables({"query": query, **parts}))


def names(text: str) -> set[str]:
    return set(read_by_dashboard(text).names)


def test_every_query_of_every_panel_is_read() -> None:
    two = {"type": "stat", "targets": [{"expr": "b"}, {"expr": "c", "hide": True}]}
    assert names(board(panel("a"), two)) == {"a", "b", "c"}


def test_a_panel_of_a_collapsed_row_is_read() -> None:
    assert names(board({"type": "row", "collapsed": True, "panels": [panel("a")]})) == {"a"}


def test_a_panel_of_an_old_dashboard_is_read() -> None:
    assert names(json.dumps({"rows": [{"panels": [panel("a")]}]})) == {"a"}


@pytest.mark.parametrize("entry", [{"expr": "a"}, {"target": {"expr": "a"}}])
def test_an_annotation_is_read(entry: dict[str, Any]) -> None:
    entry = {"name": "Deployments", "enable": True, **entry}
    assert names(board(annotations={"list": [entry]})) == {"a"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"type": "loki", "uid": "x"}, set()),
        ({"type": "prometheus", "uid": "${datasource}"}, {"a"}),
        ({"uid": "${datasource}"}, {"a"}),
        ({"type": "datasource", "uid": "-- Mixed --"}, {"a"}),
        ("Prometheus", {"a"}),
        (None, {"a"}),
    ],
)
def test_what_is_surely_not_asked_of_prometheus_is_left_out(source: Any, found: set[str]) -> None:
    assert names(board(panel("a", datasource=source))) == found


def test_a_query_can_have_another_source_than_its_panel() -> None:
    targets = [{"expr": '{app="x"} |= "y"', "datasource": {"type": "loki"}}, {"expr": "a"}]
    assert names(board({"type": "stat", "targets": targets})) == {"a"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("label_values(a, bed)", {"a"}),
        ('label_values(a{x="$y", z=~"1,2"}, bed)', {"a"}),
        ("label_values(job)", set()),
        ("query_result(max(a) > $b)", None),
        ("query_result(max(a) > 1)", {"a"}),
        ("a", {"a"}),
        ({"query": "label_values(a, bed)", "refId": "x"}, {"a"}),
        ("", set()),
    ],
)
def test_a_variable_is_read(query: Any, found: set[str] | None) -> None:
    if found is None:
        with pytest.raises(UnknownMetricsError, match='variable "bed"'):
            names(of_variable(query))
    else:
        assert names(of_variable(query)) == found


def test_a_variable_of_names_is_what_they_match() -> None:
    assert read_by_dashboard(of_variable("metrics(node_$x)")).patterns == {".*(node_.*).*"}


def test_a_variable_of_another_source_is_left_out() -> None:
    assert names(of_variable("SELECT 1", datasource={"type": "postgres"})) == set()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("constant", {"query": "a_total"}),
        ("custom", {"query": "a_total", "options": [{"value": "a_total"}]}),
    ],
)
def test_a_metric_that_a_variable_chooses_from_a_list_is_read(kind: str, parts: Any) -> None:
    listed = variables({"name": "metric", "type": kind, **parts})
    assert names(board(panel("rate($metric[5m])"), templating=listed)) == {"a_total"}


UNKNOWN = [
    (board(panel('sum({job="x"})')), r'panel "Beds": `sum\({job="x"}\)` reads whatever matches'),
    (board(panel("rate($metric[5m])")), r'panel "Beds": `rate\(\$metric\[5m\]\)` reads whatever'),
    (board(panel("a b")), 'panel "Beds": `a b` cannot be parsed'),
    (board({"title": "Beds", "type": "stat", "libraryPanel": {"uid": "x"}}), "is a library panel"),
    (of_variable("label_values(device)"), "asks every metric for the values of a label"),
    (of_variable("label_names()"), "asks every metric for its labels"),
    (of_variable("metrics(.*)"), "asks for the names of all metrics"),
    (of_variable("metrics((a)"), "cannot be parsed"),
    (json.dumps({"spec": {"elements": {}, "layout": {}}}), "is not a classic dashboard"),
    ("{", "is no JSON"),
]


@pytest.mark.parametrize(("text", "words"), UNKNOWN, ids=[words for _, words in UNKNOWN])
def test_unknown_metric_is_reported_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UnknownMetricsError, match=words):
        read_by_dashboard(text)


def test_a_list_with_a_value_for_all_is_not_known() -> None:
    entry = {"type": "custom", "options": [{"value": "a"}], "includeAll": True}
    with pytest.raises(UnknownMetricsError):
        names(board(panel("$bed"), templating=variables(entry)))
