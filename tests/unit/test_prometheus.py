"""Prometheus: its flags, what it scrapes and how its configuration reaches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common.quantities import duration_seconds
from components.prometheus import config as prometheus_config
from components.rules.rule_set import shipped_files

TARGETS = {
    "prometheus": ["localhost:9090"],
    "alertmanager": ["alertmanager:9093"],
    "grafana": ["grafana:3000"],
    "node": ["node-exporter:9100"],
    "postgres": ["postgres-exporter:9187"],
    "redis": ["redis-exporter:9121"],
    "backend": ["backend:8000"],
}


def _flags(view: Any, service: str = "prometheus") -> dict[str, str]:
    flags = (flag.partition("=") for flag in view.containers()[service]["command"])
    return {name: value for name, _, value in flags}


def _config(view: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    return loaded


@pytest.mark.parametrize(("stack", "time"), [("dev", "7d"), ("prod", "30d")])
def test_samples_are_kept_as_long_as_the_stack_says(
    stack: str, time: str, views: dict[str, Any]
) -> None:
    assert _flags(views[stack])["--storage.tsdb.retention.time"] == time


@pytest.mark.parametrize(("stack", "size"), [("dev", "10GB"), ("prod", "50GB")])
def test_samples_take_no_more_disk_than_the_stack_says(
    stack: str, size: str, views: dict[str, Any]
) -> None:
    assert _flags(views[stack])["--storage.tsdb.retention.size"] == size


@pytest.mark.parametrize("limit", ["sample_limit", "body_size_limit", "label_limit"])
def test_what_a_target_may_send_is_bounded_for_every_job(limit: str, view: Any) -> None:
    assert [job["job_name"] for job in _config(view)["scrape_configs"] if limit not in job] == []


def test_no_flag_is_one_that_prometheus_3_has_dropped(view: Any) -> None:
    assert "--storage.tsdb.retention" not in _flags(view)


@pytest.mark.parametrize("flag", ["--web.enable-lifecycle", "--web.enable-admin-api"])
def test_nobody_on_the_network_can_stop_it_or_delete_its_data(flag: str, view: Any) -> None:
    assert flag not in _flags(view)


def test_its_data_is_written_to_its_volume(view: Any) -> None:
    targets = {mount["target"] for mount in view.containers()["prometheus"]["mounts"]}
    assert _flags(view)["--storage.tsdb.path"] in targets


def test_it_reads_the_configuration_that_is_put_into_its_volume(view: Any) -> None:
    target = view.config("prometheus")["target"]
    assert _flags(view)["--config.file"] == f"{target}/prometheus.yml"


@pytest.mark.parametrize(("service", "port"), [("prometheus", 8100), ("alertmanager", 8200)])
def test_links_in_messages_lead_to_the_published_port(
    service: str, port: int, changed: Any
) -> None:
    assert _flags(changed, service)["--web.external-url"] == f"https://mon.example.com:{port}"


def test_the_jobs_and_their_targets_are_the_seven(view: Any) -> None:
    jobs = {
        job["job_name"]: [t for static in job["static_configs"] for t in static["targets"]]
        for job in _config(view)["scrape_configs"]
    }
    assert jobs == TARGETS


def test_every_backend_is_scraped(changed: Any) -> None:
    job = next(j for j in _config(changed)["scrape_configs"] if j["job_name"] == "backend")
    assert job["static_configs"] == [{"targets": ["api-1:8000", "api-2:8000"]}]


def test_every_target_of_the_stack_is_a_container_that_shares_a_network(view: Any) -> None:
    hosts = {t.partition(":")[0] for job, ts in TARGETS.items() if job != "backend" for t in ts}
    for host in hosts - {"localhost"}:
        assert view.networks_of(host) & view.networks_of("prometheus"), host


@pytest.mark.parametrize("interval", ["1s", "5s", "15s", "30s"])
def test_a_scrape_is_never_given_longer_than_its_interval(
    interval: str, settings: Callable[..., Any]
) -> None:
    config = yaml.safe_load(prometheus_config.render_config(settings(scrapeInterval=interval)))
    timeout = duration_seconds(config["global"]["scrape_timeout"])
    assert 0 < timeout <= duration_seconds(interval)


def test_native_histograms_set_are_of_the_backend_alone_and_keep_the_classic_ones(
    run_program: Callable[..., Any],
) -> None:
    view = run_program("dev", nativeHistograms=True)
    jobs = {job["job_name"]: job for job in _config(view)["scrape_configs"]}
    converted = {name for name, job in jobs.items() if "convert_classic_histograms_to_nhcb" in job}
    assert converted == {"backend"}
    assert jobs["backend"]["always_scrape_classic_histograms"] is True
    assert _flags(view)["--enable-feature"] == "native-histograms"


@pytest.mark.parametrize("key", ["scrapeInterval", "evaluationInterval"])
def test_intervals_are_those_of_the_settings(key: str, settings: Callable[..., Any]) -> None:
    config = yaml.safe_load(prometheus_config.render_config(settings(**{key: "20s"})))
    name = {"scrapeInterval": "scrape_interval", "evaluationInterval": "evaluation_interval"}[key]
    assert config["global"][name] == "20s"


def test_alerts_say_which_stack_they_are_of(view: Any) -> None:
    assert _config(view)["global"]["external_labels"] == {"stack": view.stack}


def test_alerts_go_to_alertmanager(view: Any) -> None:
    (alertmanager,) = _config(view)["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_every_rule_file_reaches_it_as_it_stands(run_program: Callable[..., Any]) -> None:
    receiver = {"name": "mimir", "url": "https://mimir.example.com/api/v1/push"}
    view = run_program("dev", protectData=True, remoteWrite=[receiver])
    files = view.config("prometheus")["files"]
    rules = {name: text for name, text in files.items() if name.startswith("rules/")}
    shipped = {f"rules/{name}": text for name, text in shipped_files().items()}
    del shipped["rules/thanos.yml"]
    assert rules == shipped


@pytest.mark.parametrize(
    ("service", "checker"),
    [
        ("prometheus", ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"]),
        ("alertmanager", ["amtool", "check-config", "/etc/alertmanager/alertmanager.yml"]),
    ],
)
def test_the_services_own_checker_judges_the_configuration(
    service: str, checker: list[str], view: Any
) -> None:
    assert view.config(service)["checker"] == checker


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_a_change_is_a_reload_and_no_restart(service: str, view: Any) -> None:
    assert list(view.config(service)["on_change"]) == ["reload"]


@pytest.mark.parametrize("service", ["postgres-exporter", "redis-exporter"])
def test_an_exporter_is_restarted_for_a_changed_password(service: str, view: Any) -> None:
    assert view.config(service)["on_change"] == {"restart": True}


def test_configuration_names_volume_and_container_literally_so_that_a_preview_can_check_it(
    view: Any,
) -> None:
    config = view.config("prometheus")
    assert (config["volume"], config["container"]) == (
        f"vitalstream-{view.stack}-prometheus-config",
        f"vitalstream-{view.stack}-prometheus",
    )


def test_silences_are_written_to_the_volume(view: Any) -> None:
    targets = {mount["target"] for mount in view.containers()["alertmanager"]["mounts"]}
    assert _flags(view, "alertmanager")["--storage.path"] in targets


def test_a_single_alertmanager_listens_for_no_peers(view: Any) -> None:
    assert _flags(view, "alertmanager")["--cluster.listen-address"] == ""
