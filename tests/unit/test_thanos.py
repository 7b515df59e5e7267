"""Resources of a stack with Thanos, and of a stack without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common.quantities import duration_seconds
from components.rules.rule_set import shipped_files
from components.settings import thanos as thanos_settings
from components.settings.thanos import ThanosSettings
from tests.unit.conftest import SECRETS, SERVED

PARTS = {"thanos-sidecar", "thanos-store", "thanos-compact", "thanos-query"}
FOLDER = {"directory": True}
BUCKET = {"bucket": "vitalstream-blocks", "endpoint": "s3.test:9000", "prefix": "prod"}
KEYS = {key: SECRETS[key] for key in ("thanosAccessKey", "thanosSecretKey")}
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(run_program: Run) -> Any:
    return run_program("dev", thanos=FOLDER, keepOnlyWhatIsRead=True)


@pytest.fixture(scope="module")
def pair(run_program: Run) -> Any:
    """Two Prometheus servers, with a bucket."""
    return run_program("prod", thanos=BUCKET, prometheus={"replicas": 2}, **KEYS)


def command(view: Any, service: str) -> list[str]:
    found: list[str] = view.containers()[service]["command"]
    return found


def objstore(view: Any, service: str = "thanos-store") -> Any:
    config = view.config(service)
    return yaml.safe_load({**config["files"], **config["secret_files"]}["objstore.yml"])


def scraping(view: Any, service: str = "prometheus") -> Any:
    return yaml.safe_load(view.config(service)["files"]["prometheus.yml"])


def test_stack_without_thanos_has_no_component(view: Any) -> None:
    assert [found.name for found in view.registrations if "thanos" in found.name] == []


def test_stack_without_thanos_keeps_prometheus_and_data_source(prod: Any) -> None:
    assert not any("block-duration" in flag for flag in command(prod, "prometheus"))
    assert prod.inputs("DataSource")["prometheus"]["url"] == "https://prometheus:9090"
    assert "rules/thanos.yml" not in prod.config("prometheus")["files"]


def test_components_are_separate_containers(folder: Any) -> None:
    assert {name for name in folder.containers() if "thanos" in name} == PARTS


def test_prometheus_replicas_have_a_sidecar_each(pair: Any) -> None:
    found = {name for name in pair.containers() if "thanos" in name}
    assert found == {*PARTS, "thanos-sidecar-2"}


def test_sidecar_uses_its_prometheus_and_volume(pair: Any) -> None:
    for suffix in ("", "-2"):
        service = f"thanos-sidecar{suffix}"
        assert f"--prometheus.url=https://prometheus{suffix}:9090" in command(pair, service)
        mounts = pair.containers()[service]["mounts"]
        data = next(mount for mount in mounts if mount["target"] == "/prometheus")
        assert data["source"] == f"vitalstream-prod-prometheus{suffix}-data"
        assert data["readOnly"] is False


def test_sidecar_depends_on_its_prometheus(pair: Any) -> None:
    waited_for = pair.one("Container", "thanos-sidecar-2").dependencies
    assert any(urn.endswith("::prometheus-2") for urn in waited_for)


def test_components_run_as_prometheus_user(pair: Any) -> None:
    users = {pair.containers()[name]["user"] for name in (*PARTS, "prometheus")}
    assert users == {"65534:65534"}


def test_prometheus_local_compaction_is_off(folder: Any) -> None:
    flags = command(folder, "prometheus")
    assert "--storage.tsdb.min-block-duration=2h" in flags
    assert "--storage.tsdb.max-block-duration=2h" in flags


def test_retention_local_and_of_the_bucket_are_set(run_program: Run) -> None:
    view = run_program("prod", thanos={**FOLDER, "retention": {"raw": "30d"}})
    assert "--storage.tsdb.retention.time=4d" in command(view, "prometheus")
    assert [flag for flag in command(view, "thanos-compact") if "retention" in flag] == [
        "--retention.resolution-raw=30d",
        "--retention.resolution-5m=1y",
        "--retention.resolution-1h=5y",
    ]


def test_rules_look_back_within_the_local_retention() -> None:
    ranges = [
        duration_seconds(found)
        for text in shipped_files().values()
        for found in re.findall(r"\[(\d+[smhd])\]", text)
    ]
    assert max(ranges) + 2 * 3600 == thanos_settings.MIN_LOCAL_SECONDS
    assert duration_seconds(ThanosSettings().local_retention) >= thanos_settings.MIN_LOCAL_SECONDS


def test_compactor_without_downsampling_has_only_raw_retention(run_program: Run) -> None:
    view = run_program("dev", thanos={**FOLDER, "downsampling": False})
    flags = command(view, "thanos-compact")
    assert "--downsampling.disable" in flags
    assert [flag for flag in flags if "resolution" in flag] == ["--retention.resolution-raw=90d"]


@pytest.mark.parametrize(("count", "last"), [(1, "prometheus"), (2, "prometheus-2")])
def test_replica_label_is_on_samples_and_not_on_alerts(
    count: int, last: str, run_program: Run
) -> None:
    view = run_program("dev", thanos=FOLDER, prometheus={"replicas": count})
    config = scraping(view, last)
    assert config["global"]["external_labels"] == {"stack": "dev", "replica": last}
    dropped = {"action": "labeldrop", "regex": "replica"}
    assert config["alerting"]["alert_relabel_configs"] == [dropped]
    assert "--query.replica-label=replica" in command(view, "thanos-query")


def test_querier_endpoints_are_sidecars_and_store(pair: Any) -> None:
    endpoints = yaml.safe_load(pair.config("thanos-query")["files"]["endpoints.yml"])["endpoints"]
    assert [found["address"] for found in endpoints] == [
        "dns+thanos-sidecar:10901",
        "dns+thanos-sidecar-2:10901",
        "dns+thanos-store:10901",
    ]


def test_data_source_is_the_querier_with_the_same_uid(pair: Any, prod: Any) -> None:
    source, before = (found.inputs("DataSource")["prometheus"] for found in (pair, prod))
    assert source["url"] == "https://thanos-query:10902"
    assert source["uid"] == before["uid"]
    assert '"prometheusType": "Thanos"' in source["jsonDataEncoded"]


def test_dashboard_ranges_exceed_the_local_retention(folder: Any, dev: Any) -> None:
    def board(view: Any) -> str:
        return str(view.inputs("Dashboard")["overview"]["configJson"])

    assert ("now-30d" in board(folder), "now-30d" in board(dev)) == (True, False)


def test_components_are_scraped(pair: Any) -> None:
    targets = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in scraping(pair)["scrape_configs"]
        if job["job_name"].startswith("thanos")
    }
    assert targets == {
        "thanos-sidecar": ["thanos-sidecar:10902", "thanos-sidecar-2:10902"],
        "thanos-store": ["thanos-store:10902"],
        "thanos-compact": ["thanos-compact:10902"],
        "thanos-query": ["thanos-query:10902"],
    }


def test_allowlist_has_the_metrics_of_thanos_alerts(folder: Any) -> None:
    kept = scraping(folder)["scrape_configs"][0]["metric_relabel_configs"][0]["regex"]
    assert "thanos_compact_halted" in kept
    assert "thanos_sidecar_prometheus_up" in kept


def test_bucket_config_with_keys_is_a_secret_file(pair: Any) -> None:
    for service in PARTS - {"thanos-query"}:
        assert objstore(pair, service) == {
            "type": "S3",
            "config": {
                "bucket": "vitalstream-blocks",
                "endpoint": "s3.test:9000",
                "insecure": False,
                "access_key": SECRETS["thanosAccessKey"],
                "secret_key": SECRETS["thanosSecretKey"],
            },
            "prefix": "prod",
        }
        assert "objstore.yml" in pair.config(service)["secret_files"]
    assert "objstore.yml" not in pair.config("thanos-query")["secret_files"]


def test_bucket_ca_is_a_file(run_program: Run) -> None:
    place = {**BUCKET, "ca": SERVED["tlsCa"], "region": "eu-1"}
    view = run_program("dev", thanos=place, **KEYS)
    config = objstore(view)["config"]
    assert config["http_config"] == {"tls_config": {"ca_file": "/etc/thanos/objstore-ca.pem"}}
    assert config["region"] == "eu-1"
    assert view.config("thanos-store")["files"]["objstore-ca.pem"] == SERVED["tlsCa"]


@pytest.mark.parametrize("key", KEYS)
def test_bucket_without_key_is_refused(key: str, refused: Callable[..., str]) -> None:
    message = refused({"thanos": BUCKET, **KEYS, key: ""})
    assert f"vitalstream:{key} is missing: thanos.bucket is set" in message
    assert f"pulumi config set --secret {key} --stack test" in message


def test_directory_is_a_shared_volume(folder: Any) -> None:
    assert "thanos-bucket-data" in folder.all("Volume")
    users = {
        name
        for name, container in folder.containers().items()
        if any(mount["target"] == "/bucket" for mount in container.get("mounts") or [])
    }
    assert users == PARTS - {"thanos-query"}


def test_bucket_check_exists_only_with_a_bucket(folder: Any, pair: Any) -> None:
    assert (len(folder.all("BucketCheck")), len(pair.all("BucketCheck"))) == (0, 1)


def test_components_depend_on_the_bucket_check(pair: Any) -> None:
    waits_for = pair.one("Provider", "docker").dependencies
    assert any(urn.endswith("::bucket-check") for urn in waits_for)


def test_component_volumes_are_chowned(folder: Any) -> None:
    assert folder.config("thanos-store")["owned"] == {
        "vitalstream-dev-thanos-bucket-data": "/bucket",
        "vitalstream-dev-thanos-store-scratch": "/var/thanos/store",
    }


def test_component_networks_are_as_documented(pair: Any) -> None:
    def named(*names: str) -> set[str]:
        return {f"vitalstream-prod-{name}" for name in names}

    assert pair.networks_of("thanos-query") == named("thanos", "thanos-query")
    for service in ("thanos-sidecar-2", "thanos-store", "thanos-compact"):
        assert pair.networks_of(service) == named("thanos", "thanos-storage")
    assert named("thanos") <= pair.networks_of("prometheus-2")
    assert named("thanos-query", "thanos-storage").isdisjoint(pair.networks_of("prometheus"))
    assert pair.networks_of("grafana") == named("grafana", "thanos-query")


def test_storage_network_is_the_only_egress(pair: Any, folder: Any) -> None:
    internal = {
        name: network["internal"]
        for name, network in pair.inputs("Network").items()
        if "thanos" in name
    }
    assert internal == {"thanos": True, "thanos-query": True, "thanos-storage": False}
    assert "thanos-storage" not in folder.all("Network")


def test_components_publish_no_port(pair: Any) -> None:
    ports = {name for name, found in pair.containers().items() if found.get("ports")}
    assert [name for name in ports if "thanos" in name] == []


def test_components_with_tls_serve_it_and_querier_requires_password(pair: Any) -> None:
    with_password = set()
    for service in PARTS:
        assert "--http.config=/etc/thanos/tls/web.yml" in command(pair, service)
        web = yaml.safe_load(pair.config(service)["secret_files"]["tls/web.yml"])
        with_password |= {service} if "basic_auth_users" in web else set()
    assert with_password == {"thanos-query"}


def test_grpc_with_tls_is_encrypted(pair: Any) -> None:
    for service in ("thanos-sidecar-2", "thanos-store", "thanos-query"):
        flags = command(pair, service)
        assert "--grpc-server-tls-cert=/etc/thanos/tls/certificate.pem" in flags
    config = yaml.safe_load(pair.config("thanos-query")["files"]["endpoints.yml"])
    assert config["default_client_config"]["tls_config"] == {
        "enabled": True,
        "ca_file": "/etc/thanos/tls/ca.pem",
    }


def test_components_without_tls_have_no_certificate_flags(folder: Any) -> None:
    flags = [flag for service in PARTS for flag in command(folder, service)]
    assert [flag for flag in flags if "tls" in flag or "http.config" in flag] == []
