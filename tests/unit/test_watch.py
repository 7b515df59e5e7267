"""A stack that watches less than everything."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.catalog.exporters import EXPORTERS
from components.catalog.monitored import ALL_MONITORED
from components.dashboards import DashboardSettings, render_all
from components.rules import rule_files, selection
from components.settings import warnings as setting_warnings
from tests.unit import diff_stacks as stacks

SOURCE = {"stack": "clinic", "target": "192.0.2.7:9090"}
SUBSETS = [
    list(some)
    for count in range(1, len(ALL_MONITORED) + 1)
    for some in itertools.combinations(ALL_MONITORED, count)
]
SHEETS = {
    "backend": {"api", "ecg"},
    "postgresql": {"postgresql"},
    "redis": {"redis"},
    "host": {"host"},
}


@pytest.fixture(scope="module")
def nothing(run_program: Callable[..., Any]) -> Any:
    """A global stack, without a password of the PostgreSQL that it does not watch."""
    return run_program("dev", demo=False, watch=[], federation=[SOURCE], postgresPassword="")


@pytest.fixture(scope="module")
def host(run_program: Callable[..., Any]) -> Any:
    return run_program("dev", demo=False, watch=["host"], postgresPassword="")


def _jobs(view: Any) -> set[str]:
    config = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    return {job["job_name"] for job in config["scrape_configs"]}


def _rules(view: Any) -> set[str]:
    files = view.config("prometheus")["files"]
    return {name.removeprefix("rules/") for name in files if name.startswith("rules/")}


def _boards(view: Any) -> dict[str, dict[str, Any]]:
    return {
        name: json.loads(inputs["configJson"]) for name, inputs in view.inputs("Dashboard").items()
    }


def test_every_exporter_is_of_something_that_can_be_watched() -> None:
    assert {exporter.monitors for exporter in EXPORTERS} <= set(ALL_MONITORED)


def test_every_rule_file_is_loaded_where_everything_is_watched() -> None:
    assert selection.select(rule_files.load(), ALL_MONITORED) == rule_files.load()


def test_what_is_not_watched_has_no_container_and_no_network(nothing: Any) -> None:
    kinds = [nothing.containers(), nothing.inputs("Network")]
    assert [set(kind) for kind in kinds] == [
        {"prometheus", "alertmanager", "grafana"},
        {"alertmanager", "grafana"},
    ]


def test_what_is_not_watched_is_not_scraped(nothing: Any, host: Any) -> None:
    own = {"prometheus", "alertmanager", "grafana"}
    assert (_jobs(nothing), _jobs(host)) == (own | {"federate-clinic"}, own | {"node"})


def test_the_rules_of_what_is_not_watched_are_not_loaded(nothing: Any, host: Any) -> None:
    assert (_rules(nothing), _rules(host)) == (
        {"monitoring.yml"},
        {"monitoring.yml", "host.yml", "backup.yml"},
    )


def test_no_rule_waits_for_a_job_that_is_not_scraped(nothing: Any, host: Any) -> None:
    """`absent(up{job="..."})` of one would page for ever."""
    for view in (nothing, host):
        files = view.config("prometheus")["files"]
        asked = {
            job
            for name in _rules(view)
            for job in re.findall(r'absent\(up\{job="(\w+)"\}', files[f"rules/{name}"])
        }
        assert asked <= _jobs(view)


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_dashboards_are_those_of_what_is_watched(some: list[Any]) -> None:
    boards = _rendered(some)
    assert set(boards) == {"overview", "monitoring"}.union(*(SHEETS[one] for one in some))


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_no_panel_reads_what_no_loaded_rule_records(some: list[Any]) -> None:
    recorded = {
        rule["record"]
        for text in selection.select(rule_files.load(), some).values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    for stem, text in _rendered(some).items():
        read = set(re.findall(r"\b[a-z]\w*:\w+:\w+", text)) - {"now"}
        assert read <= recorded, stem


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_no_panel_of_the_overview_lies_on_another_and_its_last_row_is_full(
    some: list[Any],
) -> None:
    panels = json.loads(_rendered(some)["overview"])["panels"]
    places = [
        (x, y)
        for panel in panels
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    bottom = max(y for _, y in places)
    assert len(places) == len(set(places))
    assert {x for x, y in places if y == bottom} == set(range(24))


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_every_link_leads_to_a_dashboard_that_is_there(some: list[Any]) -> None:
    boards = _rendered(some)
    for text in boards.values():
        assert set(re.findall(r"/d/vitalstream-(\w+)", text)) <= set(boards)


def _rendered(some: list[Any]) -> dict[str, str]:
    return render_all(DashboardSettings("test", 86400, "15s", watch=tuple(some)))


def test_a_global_stack_has_the_stacks_instead_of_an_overview(nothing: Any) -> None:
    boards = _boards(nothing)
    assert set(boards) == {"stacks", "monitoring"}
    home = boards["monitoring"]["links"][0]
    assert (home["title"], home["url"]) == ("VitalStream Stacks", "/d/vitalstream-stacks")


def test_the_stacks_are_shown_by_recorded_series_and_alerts_alone(nothing: Any) -> None:
    for panel in _boards(nothing)["stacks"]["panels"]:
        for target in panel["targets"]:
            names = set(re.findall(r"([a-zA-Z_:][\w:]*)\{", target["expr"]))
            others = {name for name in names if ":" not in name}
            assert others <= {"up", "ALERTS", "ALERTS_FOR_STATE"}, target["expr"]


def test_the_other_dashboards_of_a_global_stack_show_its_own_series(nothing: Any) -> None:
    for panel in _boards(nothing)["monitoring"]["panels"]:
        for target in panel["targets"]:
            for after in re.findall(r"\b[a-z]\w*:\w+:\w+(.{0,9})", target["expr"]):
                assert after.startswith('{stack=""'), target["expr"]


def test_what_is_federated_is_not_looked_for_at_our_own_targets(nothing: Any) -> None:
    config = yaml.safe_load(nothing.config("prometheus")["files"]["prometheus.yml"])
    keep = config["scrape_configs"][0]["metric_relabel_configs"][0]["regex"]
    assert ":" not in keep


def test_the_ports_of_what_is_not_watched_are_free(settings: Callable[..., Any]) -> None:
    found = settings(watch=["host"], publishExporters="true").published
    assert set(found) == {"prometheus", "grafana", "alertmanager", "node-exporter"}


def test_no_container_is_looked_for_that_is_not_made(nothing: Any) -> None:
    (preflight,) = nothing.inputs("Preflight").values()
    assert {name.removeprefix("vitalstream-dev-") for name in preflight["containers"]} == {
        "prometheus",
        "grafana",
        "alertmanager",
    }


def test_the_order_in_the_stack_file_is_no_change(settings: Callable[..., Any]) -> None:
    assert settings(watch=["host", "backend"]).watch == ("backend", "host")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"watch": ["host"], "backendDns": [{"name": "b", "port": 1}]}, "backendDns is set, and"),
        (
            {"watch": ["host"], "alerts": {"RedisDown": {"for": "5m"}, "DiskSpaceLow": {}}},
            "RedisDown belongs to a service that is not monitored (backend, postgresql, redis)",
        ),
    ],
)
def test_settings_that_nothing_reads_are_warned_of(
    values: dict[str, Any], words: str, settings: Callable[..., Any]
) -> None:
    (warning,) = setting_warnings.ignored_settings(settings(**values))
    assert words in warning


def test_a_stack_that_watches_everything_is_warned_of_nothing(
    settings: Callable[..., Any],
) -> None:
    assert (
        list(setting_warnings.ignored_settings(settings(alerts={"RedisDown": {"for": "5m"}}))) == []
    )


def test_the_demo_needs_all_of_it(refused: Callable[..., str]) -> None:
    message = refused({"demo": "true", "watch": ["backend", "host"]})
    assert "`watch` leaves out postgresql and redis" in message


@pytest.mark.parametrize("watched", [["redis"], ["backend", "host"]])
def test_the_password_of_an_unwatched_postgresql_is_not_asked_for(
    watched: list[str], settings: Callable[..., Any]
) -> None:
    assert settings(watch=watched, postgresPassword="").watch == tuple(watched)


def test_the_password_of_a_watched_postgresql_is(refused: Callable[..., str]) -> None:
    assert "postgresPassword is missing" in refused({"postgresPassword": ""})


@pytest.fixture(scope="module")
def told() -> str:
    left = ["backend", "postgresql", "host"]
    return stacks.told(stacks.report(stacks.stack("prod"), stacks.with_settings(watch=left)))


@pytest.mark.parametrize(
    "says",
    [
        "container redis-exporter removed for good",
        "scrape job redis removed",
        "RedisDown",
    ],
)
def test_a_pull_request_is_told_of_what_is_no_longer_watched(says: str, told: str) -> None:
    assert says in told


def test_a_pull_request_that_unwatches_weakens_the_alerts(told: str) -> None:
    assert re.search(r"WEAKER alert RedisDown removed", told)


def test_a_rule_file_that_is_wrong_is_left_to_promtools_words(
    monkeypatch: pytest.MonkeyPatch, settings: Callable[..., Any]
) -> None:
    broken = "groups: [{name: broken, rules: [{alert: Broken, expr: 'up =='}]}]\n"
    read = settings()
    monkeypatch.setattr(rule_files, "load", lambda: {"broken.yml": broken})
    assert list(setting_warnings.ignored_settings(read)) == []
