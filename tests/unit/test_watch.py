"""Stacks that monitor only some kinds of services."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from components.catalog.monitored import ALL_MONITORED, DEFAULT_MONITORED
from components.dashboards import DashboardSettings, render_all
from components.rules import rule_set, selection
from components.rules.rule_set import shipped_files
from components.settings import warnings as setting_warnings
from tests import yaml_text
from tests.unit import diff_stacks as stacks

SOURCE = {"stack": "clinic", "target": "192.0.2.7:9090"}
SHIPPED = shipped_files()
SUBSETS = [
    list(some)
    for count in range(1, len(DEFAULT_MONITORED) + 1)
    for some in itertools.combinations(DEFAULT_MONITORED, count)
]
SHEETS = {
    "backend": {"api", "ecg"},
    "postgresql": {"postgresql"},
    "redis": {"redis"},
    "host": {"host"},
}


@pytest.fixture(scope="module")
def nothing(run_program: Callable[..., Any]) -> Any:
    """Global stack without a password for the PostgreSQL that it does not monitor."""
    return run_program(
        "dev",
        demo=False,
        watch=[],
        federation=[SOURCE],
        postgresPassword="",
        keepOnlyWhatIsRead=True,
    )


@pytest.fixture(scope="module")
def host(run_program: Callable[..., Any]) -> Any:
    return run_program("dev", demo=False, watch=["host"], postgresPassword="")


def _jobs(view: Any) -> set[str]:
    config = yaml_text.load(view.config("prometheus")["files"]["prometheus.yml"])
    return {job["job_name"] for job in config["scrape_configs"]}


def _rules(view: Any) -> set[str]:
    files = view.config("prometheus")["files"]
    return {name.removeprefix("rules/") for name in files if name.startswith("rules/")}


def _boards(view: Any) -> dict[str, dict[str, Any]]:
    return {
        name: json.loads(inputs["configJson"]) for name, inputs in view.inputs("Dashboard").items()
    }


def test_stack_that_monitors_everything_loads_every_rule_file() -> None:
    every_feature = {"thanos": True, "remote_write": True, "scrape_jobs": True}
    names = list(shipped_files())
    assert selection.select(names, ALL_MONITORED, **every_feature) == names


def test_unmonitored_service_has_no_container_or_network(nothing: Any) -> None:
    kinds = [nothing.containers(), nothing.inputs("Network")]
    assert [set(kind) for kind in kinds] == [
        {"prometheus", "alertmanager", "grafana"},
        {"alertmanager", "grafana"},
    ]


def test_unmonitored_service_is_not_scraped(nothing: Any, host: Any) -> None:
    own = {"prometheus", "alertmanager", "grafana"}
    assert (_jobs(nothing), _jobs(host)) == (own | {"federate-clinic"}, own | {"node"})


def test_unmonitored_services_rules_are_not_loaded(nothing: Any, host: Any) -> None:
    assert (_rules(nothing), _rules(host)) == (
        {"monitoring.yml", "blindness.yml"},
        {"monitoring.yml", "blindness.yml", "host.yml", "backup.yml"},
    )


def test_rules_refer_to_scraped_jobs_only(nothing: Any, host: Any) -> None:
    """`absent(up{job="..."})` of an unscraped job would fire for ever."""
    for view in (nothing, host):
        files = view.config("prometheus")["files"]
        asked = {
            job
            for name in _rules(view)
            for job in re.findall(r'absent\(up\{job="(\w+)"\}', files[f"rules/{name}"])
        }
        assert asked <= _jobs(view)


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_dashboards_are_those_of_monitored_services(some: list[Any]) -> None:
    boards = _rendered(some)
    assert set(boards) == {"overview", "monitoring"}.union(*(SHEETS[one] for one in some))


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_panels_read_only_loaded_recording_rules(some: list[Any]) -> None:
    recorded = {
        rule["record"]
        for name in selection.select(SHIPPED, some)
        for group in yaml_text.load(SHIPPED[name])["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    for stem, text in _rendered(some).items():
        read = set(re.findall(r"\b[a-z]\w*:\w+:\w+", text)) - {"now"}
        assert read <= recorded, stem


@pytest.mark.parametrize("some", SUBSETS, ids=map("+".join, SUBSETS))
def test_overview_panels_do_not_overlap_and_fill_the_last_row(
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
def test_links_lead_to_existing_dashboards(some: list[Any]) -> None:
    boards = _rendered(some)
    for text in boards.values():
        assert set(re.findall(r"/d/vitalstream-(\w+)", text)) <= set(boards)


def _rendered(some: list[Any]) -> dict[str, str]:
    return render_all(DashboardSettings("test", 86400, "15s", watch=tuple(some)))


def test_global_stack_has_stacks_dashboard_instead_of_overview(nothing: Any) -> None:
    boards = _boards(nothing)
    assert set(boards) == {"stacks", "monitoring"}
    home = boards["monitoring"]["links"][0]
    assert (home["title"], home["url"]) == ("VitalStream Stacks", "/d/vitalstream-stacks")


def test_stacks_dashboard_reads_recorded_series_and_alerts_only(nothing: Any) -> None:
    for panel in _boards(nothing)["stacks"]["panels"]:
        for target in panel["targets"]:
            names = set(re.findall(r"([a-zA-Z_:][\w:]*)\{", target["expr"]))
            others = {name for name in names if ":" not in name}
            assert others <= {"up", "ALERTS", "ALERTS_FOR_STATE"}, target["expr"]


def test_global_stacks_other_dashboards_read_its_own_series(nothing: Any) -> None:
    for panel in _boards(nothing)["monitoring"]["panels"]:
        for target in panel["targets"]:
            for after in re.findall(r"\b[a-z]\w*:\w+:\w+(.{0,9})", target["expr"]):
                assert after.startswith('{stack=""'), target["expr"]


def test_federated_metrics_are_not_in_the_allowlist(nothing: Any) -> None:
    config = yaml_text.load(nothing.config("prometheus")["files"]["prometheus.yml"])
    keep = config["scrape_configs"][0]["metric_relabel_configs"][0]["regex"]
    assert ":" not in keep


def test_unmonitored_services_ports_are_free(settings: Callable[..., Any]) -> None:
    found = settings(watch=["host"], publishExporters="true").published
    assert set(found) == {"prometheus", "grafana", "alertmanager", "node-exporter"}


def test_preflight_omits_unmonitored_containers(nothing: Any) -> None:
    (preflight,) = nothing.inputs("Preflight").values()
    assert {name.removeprefix("vitalstream-dev-") for name in preflight["containers"]} == {
        "prometheus",
        "grafana",
        "alertmanager",
    }


def test_order_of_monitored_services_changes_nothing(settings: Callable[..., Any]) -> None:
    assert settings(watch=["host", "backend"]).watch == ("backend", "host")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"watch": ["host"], "backendDns": [{"name": "b", "port": 1}]}, "backendDns is set, and"),
        (
            {"watch": ["host"], "alerts": {"RedisDown": {"for": "5m"}, "DiskSpaceLow": {}}},
            "alerts: RedisDown belongs to a service that is not monitored (redis); ignored",
        ),
    ],
)
def test_unused_settings_are_warned_about(
    values: dict[str, Any], words: str, settings: Callable[..., Any]
) -> None:
    (warning,) = setting_warnings.ignored_settings(settings(**values))
    assert words in warning


def test_default_stack_has_no_warning(
    settings: Callable[..., Any],
) -> None:
    assert (
        list(setting_warnings.ignored_settings(settings(alerts={"RedisDown": {"for": "5m"}}))) == []
    )


def test_demo_requires_all_monitored_services(refused: Callable[..., str]) -> None:
    message = refused({"demo": "true", "watch": ["backend", "host"]})
    assert "`watch` leaves out postgresql and redis" in message


@pytest.mark.parametrize("watched", [["redis"], ["backend", "host"]])
def test_unmonitored_postgresql_needs_no_password(
    watched: list[str], settings: Callable[..., Any]
) -> None:
    assert settings(watch=watched, postgresPassword="").watch == tuple(watched)


def test_monitored_postgresql_needs_its_password(refused: Callable[..., str]) -> None:
    assert "postgresPassword is missing" in refused({"postgresPassword": ""})


@pytest.fixture(scope="module")
def report() -> str:
    left = ["backend", "postgresql", "host"]
    return stacks.printed(stacks.report(stacks.stack("prod"), stacks.with_settings(watch=left)))


@pytest.mark.parametrize(
    "says",
    [
        "container redis-exporter removed for good",
        "scrape job redis removed",
        "RedisDown",
    ],
)
def test_diff_reports_services_no_longer_monitored(says: str, report: str) -> None:
    assert says in report


def test_diff_of_unmonitored_service_is_weaker(report: str) -> None:
    assert re.search(r"WEAKER alert RedisDown removed", report)


def test_invalid_rule_file_is_left_to_promtool(
    monkeypatch: pytest.MonkeyPatch, settings: Callable[..., Any]
) -> None:
    broken = "groups: [{name: broken, rules: [{alert: Broken, expr: 'up =='}]}]\n"
    read = settings()
    monkeypatch.setattr(rule_set, "shipped_files", lambda: {"broken.yml": broken})
    assert list(setting_warnings.ignored_settings(read)) == []
