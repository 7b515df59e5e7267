"""More than one of a service, by settings: names, addresses and the order of changes."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.grafana import balancer
from components.prometheus import config as prometheus_config
from components.settings import replicas
from components.settings import warnings as setting_warnings
from components.settings.settings import Settings
from tests.unit.conftest import SECRETS

DATABASE = {"address": "db.example.com:5432", "sslmode": "verify-full", "network": "databases"}
PAIRS = {
    "prometheus": {"replicas": 2},
    "alertmanager": {"replicas": 3},
    "grafana": {"replicas": 2, "database": DATABASE},
    "grafanaDatabasePassword": SECRETS["grafanaDatabasePassword"],
}
REPLICAS = {
    *("prometheus", "prometheus-2"),
    *("alertmanager", "alertmanager-2", "alertmanager-3"),
    *("grafana", "grafana-2"),
}
Make = Callable[..., Settings]


@pytest.fixture(scope="module")
def pairs(run_program: Callable[..., Any]) -> Any:
    return run_program("prod", **PAIRS)


def prometheus_yml(view: Any, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(view.config(name)["files"]["prometheus.yml"])
    return loaded


def test_replicas_are_each_created(pairs: Any) -> None:
    assert REPLICAS | {"grafana-lb"} <= set(pairs.containers())


def test_replica_has_its_own_data_volume(pairs: Any) -> None:
    names = [volume["name"] for volume in pairs.inputs("Volume").values()]
    assert {f"vitalstream-prod-{name}-data" for name in REPLICAS} <= set(names)
    assert len(names) == len(set(names))


def test_replica_added_keeps_the_first_ones_resources(
    pairs: Any, run_program: Callable[..., Any]
) -> None:
    alone = {(found.type, found.name) for found in run_program("prod").registrations}
    assert alone <= {(found.type, found.name) for found in pairs.registrations}


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("prometheus-2", "prometheus"),
        ("alertmanager-2", "alertmanager"),
        ("alertmanager-3", "alertmanager-2"),
        ("grafana-2", "grafana"),
    ],
)
@pytest.mark.parametrize(("kind", "name"), [("Container", "{}"), ("ConfigFiles", "{}-config")])
def test_replica_depends_on_the_healthy_one_before_it(
    pairs: Any, later: str, earlier: str, kind: str, name: str
) -> None:
    waits_for = pairs.one(kind, name.format(later)).dependencies
    assert any(urn.endswith(f"Container::{earlier}") for urn in waits_for)


def test_prometheus_replicas_differ_only_by_the_replica_label(pairs: Any) -> None:
    first, second = (prometheus_yml(pairs, name) for name in ("prometheus", "prometheus-2"))
    labels = [config["global"].pop("external_labels") for config in (first, second)]
    assert labels == [
        {"stack": "prod", "replica": "prometheus"},
        {"stack": "prod", "replica": "prometheus-2"},
    ]
    assert first == second


def test_prometheus_replicas_send_identical_alerts(pairs: Any) -> None:
    relabel = prometheus_yml(pairs, "prometheus")["alerting"]["alert_relabel_configs"]
    assert relabel == [{"action": "labeldrop", "regex": prometheus_config.REPLICA_LABEL}]


def test_prometheus_replicas_send_to_every_alertmanager(pairs: Any) -> None:
    [there] = prometheus_yml(pairs, "prometheus-2")["alerting"]["alertmanagers"]
    assert there["static_configs"] == [
        {"targets": ["alertmanager:9093", "alertmanager-2:9093", "alertmanager-3:9093"]}
    ]


def test_replica_with_tls_is_scraped_by_the_certificates_name(pairs: Any) -> None:
    jobs = {job["job_name"]: job for job in prometheus_yml(pairs, "prometheus")["scrape_configs"]}
    job = jobs["alertmanager"]
    assert job["tls_config"]["server_name"] == "alertmanager"
    assert "alertmanager-3:9093" in job["static_configs"][0]["targets"]


def test_single_prometheus_has_no_replica_label(settings: Make) -> None:
    config = yaml.safe_load(prometheus_config.render_config(settings()))
    assert config["global"]["external_labels"] == {"stack": "test"}
    assert "alert_relabel_configs" not in config["alerting"]


def test_alertmanager_peers_use_fixed_addresses(pairs: Any) -> None:
    addresses = {}
    for name in ("alertmanager", "alertmanager-2", "alertmanager-3"):
        container = pairs.containers()[name]
        [addresses[name]] = [
            network["ipv4Address"]
            for network in container["networksAdvanced"]
            if network.get("ipv4Address")
        ]
    for name, own in addresses.items():
        command = pairs.containers()[name]["command"]
        assert f"--cluster.listen-address={own}:9094" in command
        peers = {flag for flag in command if flag.startswith("--cluster.peer=")}
        others = {address for other, address in addresses.items() if other != name}
        assert peers == {f"--cluster.peer={address}:9094" for address in others}


def test_gossip_network_is_internal_with_the_chosen_subnet(pairs: Any) -> None:
    network = pairs.inputs("Network")["gossip"]
    [config] = network["ipamConfigs"]
    assert network["internal"]
    assert ipaddress.ip_network(config["subnet"]).prefixlen == replicas.GOSSIP_PREFIX


def test_gossip_subnets_of_two_stacks_differ(settings: Make) -> None:
    stacks = [settings(stack=name) for name in ("dev", "prod", "staging")]
    assert len({found.gossip_subnet for found in stacks}) == 3


def test_single_alertmanager_has_no_gossip_network(dev: Any) -> None:
    assert "--cluster.listen-address=" in dev.containers()["alertmanager"]["command"]
    assert "gossip" not in dev.all("Network")


def test_grafana_replicas_share_a_database_with_password_file(pairs: Any) -> None:
    for name in ("grafana", "grafana-2"):
        envs = pairs.containers()[name]["envs"]
        assert "GF_DATABASE_HOST=db.example.com:5432" in envs
        assert "GF_DATABASE_PASSWORD__FILE=/etc/grafana/secrets/database_password" in envs
        assert "databases" in pairs.networks_of(name)


def test_balancer_is_published_instead_of_the_grafanas(pairs: Any) -> None:
    ports = {name: container.get("ports") for name, container in pairs.containers().items()}
    assert [port["external"] for port in ports["grafana-lb"]] == [3000]
    assert not ports["grafana"]
    assert not ports["grafana-2"]


def test_grafana_objects_depend_on_the_balancer(pairs: Any) -> None:
    needs = pairs.one("Dashboard", "overview").dependencies
    assert any(urn.endswith("::grafana-lb") for urn in needs)


def test_grafana_objects_in_shared_database_are_not_deleted_with_a_volume(
    run_program: Callable[..., Any],
) -> None:
    view = run_program("dev", **PAIRS)
    assert view.one("Dashboard", "overview").deleted_with == ""
    assert run_program("dev").one("Dashboard", "overview").deleted_with != ""


def test_balancer_health_checks_every_grafana(settings: Make) -> None:
    config = balancer.render_config(settings(**PAIRS))
    assert "option httpchk GET /api/health" in config
    assert "server grafana grafana:3000 check" in config
    assert "server grafana-2 grafana-2:3000 check" in config


def test_balancer_with_tls_verifies_grafana(pairs: Any) -> None:
    files = pairs.config("grafana-lb")["files"]
    assert "check-ssl verify required" in files["haproxy.cfg"]
    assert "BEGIN CERTIFICATE" in files["tls/ca.pem"]


@pytest.mark.parametrize(
    ("name", "port"),
    [("prometheus", 9090), ("prometheus-2", 9190), ("alertmanager-3", 9293)],
)
def test_replica_default_port_is_100_higher(pairs: Any, name: str, port: int) -> None:
    assert [found["external"] for found in pairs.containers()[name]["ports"]] == [port]


def test_replica_port_can_be_set(settings: Make) -> None:
    found = settings(**PAIRS, ports={"prometheus-2": 19090})
    assert found.url("prometheus-2") == "http://127.0.0.1:19090"


def test_replica_limits_apply_to_each(settings: Make) -> None:
    found = settings(**PAIRS, limits={"prometheus": {"memory": "2g"}})
    assert found.limit("prometheus-2").memory == "2g"


@pytest.mark.parametrize(("count", "warned"), [(1, 0), (2, 1), (3, 0), (4, 1)])
def test_alertmanager_even_count_is_warned_about(settings: Make, count: int, warned: int) -> None:
    found = setting_warnings.even_alertmanagers(settings(alertmanager={"replicas": count}))
    assert len(found) == warned


def test_preflight_checks_replica_names_and_addresses(pairs: Any) -> None:
    props = pairs.inputs("Preflight")["preflight"]
    assert {f"vitalstream-prod-{name}" for name in REPLICAS} <= set(props["containers"])
    assert len(props["subnets"]) == 1
    assert "databases" in props["networks"]
    assert props["ports"]["prometheus-2"] == 9190


def test_database_password_is_in_no_environment(pairs: Any, canaries: Any) -> None:
    everything = json.dumps([found["envs"] for found in pairs.containers().values()])
    assert canaries["grafanaDatabasePassword"] not in everything
