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
def test_retention_time_is_that_of_the_settings(
    stack: str, time: str, views: dict[str, Any]
) -> None:
    assert _flags(views[stack])["--storage.tsdb.retention.time"] == time


@pytest.mark.parametrize(("stack", "size"), [("dev", "10GB"), ("prod", "50GB")])
def test_retention_size_is_that_of_the_settings(
    stack: str, size: str, views: dict[str, Any]
) -> None:
    assert _flags(views[stack])["--storage.tsdb.retention.size"] == size


@pytest.mark.parametrize("limit", ["sample_limit", "body_size_limit", "label_limit"])
def test_scrape_limits_are_set_for_every_job(limit: str, view: Any) -> None:
    assert [job["job_name"] for job in _config(view)["scrape_configs"] if limit not in job] == []


def test_flags_exist_in_prometheus_3(view: Any) -> None:
    assert "--storage.tsdb.retention" not in _flags(view)


@pytest.mark.parametrize("flag", ["--web.enable-lifecycle", "--web.enable-admin-api"])
def test_flags_leave_lifecycle_and_admin_api_off(flag: str, view: Any) -> None:
    assert flag not in _flags(view)


def test_data_path_is_in_the_data_volume(view: Any) -> None:
    targets = {mount["target"] for mount in view.containers()["prometheus"]["mounts"]}
    assert _flags(view)["--storage.tsdb.path"] in targets


def test_config_file_is_in_the_config_volume(view: Any) -> None:
    target = view.config("prometheus")["target"]
    assert _flags(view)["--config.file"] == f"{target}/prometheus.yml"


@pytest.mark.parametrize(("service", "port"), [("prometheus", 8100), ("alertmanager", 8200)])
def test_external_url_is_the_published_port(service: str, port: int, changed: Any) -> None:
    assert _flags(changed, service)["--web.external-url"] == f"https://mon.example.com:{port}"


def test_scrape_jobs_have_the_expected_targets(view: Any) -> None:
    jobs = {
        job["job_name"]: [t for static in job["static_configs"] for t in static["targets"]]
        for job in _config(view)["scrape_configs"]
    }
    assert jobs == TARGETS


def test_scrape_targets_include_every_backend(changed: Any) -> None:
    job = next(j for j in _config(changed)["scrape_configs"] if j["job_name"] == "backend")
    assert job["static_configs"] == [{"targets": ["api-1:8000", "api-2:8000"]}]


def test_scrape_targets_share_a_network_with_prometheus(view: Any) -> None:
    hosts = {t.partition(":")[0] for job, ts in TARGETS.items() if job != "backend" for t in ts}
    for host in hosts - {"localhost"}:
        assert view.networks_of(host) & view.networks_of("prometheus"), host


@pytest.mark.parametrize("interval", ["1s", "5s", "15s", "30s"])
def test_scrape_timeout_is_at_most_the_interval(
    interval: str, settings: Callable[..., Any]
) -> None:
    config = yaml.safe_load(prometheus_config.render_config(settings(scrapeInterval=interval)))
    timeout = duration_seconds(config["global"]["scrape_timeout"])
    assert 0 < timeout <= duration_seconds(interval)


def test_native_histograms_set_apply_to_the_backend_and_keep_classic_ones(
    run_program: Callable[..., Any],
) -> None:
    view = run_program("dev", nativeHistograms=True)
    jobs = {job["job_name"]: job for job in _config(view)["scrape_configs"]}
    converted = {name for name, job in jobs.items() if "convert_classic_histograms_to_nhcb" in job}
    assert converted == {"backend"}
    assert all(job["always_scrape_classic_histograms"] for job in jobs.values())
    assert _flags(view)["--enable-feature"] == "native-histograms"


@pytest.mark.parametrize("native", [True, False])
def test_allowlist_with_native_histograms_has_their_names(
    native: bool, run_program: Callable[..., Any]
) -> None:
    view = run_program("dev", nativeHistograms=native, keepOnlyWhatIsRead=True)
    backend = next(job for job in _config(view)["scrape_configs"] if job["job_name"] == "backend")
    (keep,) = backend["metric_relabel_configs"]
    listed = {name.strip() for name in keep["regex"].replace("{0}", "").split("|")}
    assert "http_request_duration_seconds_bucket" in listed
    assert ("http_request_duration_seconds" in listed) is native


@pytest.mark.parametrize("key", ["scrapeInterval", "evaluationInterval"])
def test_scrape_and_evaluation_intervals_are_those_of_the_settings(
    key: str, settings: Callable[..., Any]
) -> None:
    config = yaml.safe_load(prometheus_config.render_config(settings(**{key: "20s"})))
    name = {"scrapeInterval": "scrape_interval", "evaluationInterval": "evaluation_interval"}[key]
    assert config["global"][name] == "20s"


def test_external_label_stack_is_the_stacks_name(view: Any) -> None:
    assert _config(view)["global"]["external_labels"] == {"stack": view.stack}


def test_alerting_target_is_alertmanager(view: Any) -> None:
    (alertmanager,) = _config(view)["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_rule_files_are_delivered_unchanged(run_program: Callable[..., Any]) -> None:
    receiver = {"name": "mimir", "url": "https://mimir.example.com/api/v1/push"}
    view = run_program("dev", protectData=True, remoteWrite=[receiver])
    files = view.config("prometheus")["files"]
    rules = {name: text for name, text in files.items() if name.startswith("rules/")}
    shipped = {f"rules/{name}": text for name, text in shipped_files().items()}
    for name in ("containers", "probes", "scrape_jobs", "thanos"):
        del shipped[f"rules/{name}.yml"]
    assert rules == shipped


@pytest.mark.parametrize(
    ("service", "checker"),
    [
        ("prometheus", ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"]),
        ("alertmanager", ["amtool", "check-config", "/etc/alertmanager/alertmanager.yml"]),
    ],
)
def test_config_checker_is_promtool_of_the_image(
    service: str, checker: list[str], view: Any
) -> None:
    assert view.config(service)["checker"] == checker


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_config_change_reloads_without_restart(service: str, view: Any) -> None:
    assert list(view.config(service)["on_change"]) == ["reload"]


@pytest.mark.parametrize("service", ["postgres-exporter", "redis-exporter"])
def test_exporter_password_changed_restarts_it(service: str, view: Any) -> None:
    assert view.config(service)["on_change"] == {"restart": True}


def test_config_volume_and_container_names_are_literals(
    view: Any,
) -> None:
    config = view.config("prometheus")
    assert (config["volume"], config["container"]) == (
        f"vitalstream-{view.stack}-prometheus-config",
        f"vitalstream-{view.stack}-prometheus",
    )


def test_alertmanager_data_path_is_in_the_volume(view: Any) -> None:
    targets = {mount["target"] for mount in view.containers()["alertmanager"]["mounts"]}
    assert _flags(view, "alertmanager")["--storage.path"] in targets


def test_alertmanager_single_has_gossip_off(view: Any) -> None:
    assert _flags(view, "alertmanager")["--cluster.listen-address"] == ""
