"""Placement of services on several hosts: networks, addresses and warnings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common import certificates
from components.settings import warnings as setting_warnings
from components.settings.settings import Settings
from ops.offline import placeholders
from tests.unit import several_hosts
from tests.unit.several_hosts import FAR, HOSTS, SPREAD, THIRD, Program

spread = several_hosts.spread

Make = Callable[..., Settings]


def host_of(view: Any, kind: str, name: str) -> str:
    """Return the host of a resource's provider."""
    return str(view.one(kind, name).provider.split("::")[-2])


def targets(view: Any, name: str) -> dict[str, dict[str, str]]:
    """Return the addresses that a Prometheus scrapes, by job and instance."""
    config = yaml.safe_load(view.config(name)["files"]["prometheus.yml"])
    return {
        job["job_name"]: {
            part.get("labels", {}).get("instance", target): target
            for part in job["static_configs"]
            for target in part["targets"]
        }
        for job in config["scrape_configs"]
    }


@pytest.mark.parametrize(
    ("service", "provider"),
    [
        ("prometheus", "docker"),
        ("prometheus-2", f"docker-{FAR}"),
        ("alertmanager-3", f"docker-{THIRD}"),
        ("postgres-exporter", f"docker-{THIRD}"),
        (f"node-exporter-{THIRD}", f"docker-{THIRD}"),
        ("node-exporter", "docker"),
    ],
)
def test_placement_creates_all_resources_of_a_service_on_its_host(
    spread: Any, service: str, provider: str
) -> None:
    assert host_of(spread, "Container", service) == provider
    assert host_of(spread, "RemoteImage", f"{service}-image") == provider
    mounted = [mount["source"] for mount in spread.containers()[service]["mounts"]]
    made = spread.inputs("Volume")
    for name, volume in made.items():
        if volume["name"] in mounted:
            assert host_of(spread, "Volume", name) == provider


def test_config_files_are_written_through_their_services_engine(spread: Any) -> None:
    far, third = (spread.config(name) for name in ("prometheus-2", "alertmanager-3"))
    assert (far["docker_host"], far["host"]) == ("ssh://ops@10.0.0.2", FAR)
    assert third["docker_certificates"] == "/etc/docker-client"
    assert "host" not in spread.config("prometheus")


def test_container_joins_networks_of_its_own_host_only(spread: Any) -> None:
    for name, registration in spread.all("Container").items():
        networks = {urn.split("::")[-1] for urn in registration.dependencies if "Network" in urn}
        for network in networks:
            assert host_of(spread, "Network", network) == host_of(spread, "Container", name)


def test_host_has_networks_of_its_services_only(spread: Any) -> None:
    there = {
        found["name"].removeprefix("vitalstream-prod-")
        for name, found in spread.inputs("Network").items()
        if host_of(spread, "Network", name) == f"docker-{THIRD}"
    }
    assert there == {"alertmanager", "node-exporter", "postgres-exporter"}


def test_application_networks_belong_to_one_host(spread: Any) -> None:
    assert "clinic" in spread.networks_of("postgres-exporter")
    assert "clinic" not in spread.networks_of("redis-exporter")


def test_prometheus_scrapes_by_name_locally_and_by_address_remotely(spread: Any) -> None:
    near, far = targets(spread, "prometheus"), targets(spread, "prometheus-2")
    assert near["alertmanager"] == {
        "alertmanager:9093": "alertmanager:9093",
        "alertmanager-2:9093": "10.0.0.2:9193",
        "alertmanager-3:9093": "10.0.0.3:9293",
    }
    assert far["alertmanager"]["alertmanager-2:9093"] == "alertmanager-2:9093"
    assert far["alertmanager"]["alertmanager:9093"] == "10.0.0.1:9093"
    assert far["prometheus"]["prometheus:9090"] == "10.0.0.1:9090"


def test_instance_label_is_the_same_on_every_prometheus(spread: Any) -> None:
    near, far = targets(spread, "prometheus"), targets(spread, "prometheus-2")
    assert {job: set(found) for job, found in near.items()} == {
        job: set(found) for job, found in far.items()
    }


def test_node_exporter_runs_on_each_host_with_its_own_instance(spread: Any) -> None:
    assert targets(spread, "prometheus")["node"] == {
        "node-exporter:9100": "node-exporter:9100",
        f"node-exporter-{FAR}:9100": "10.0.0.2:9100",
        f"node-exporter-{THIRD}:9100": "10.0.0.3:9100",
    }


def test_stack_without_host_monitoring_has_no_node_exporter(run_program: Program) -> None:
    view = run_program("prod", **{**SPREAD, "watch": ["backend", "postgresql"]})
    assert not [name for name in view.containers() if "node-exporter" in name]
    assert "node" not in targets(view, "prometheus")
    names = view.inputs("Preflight")["preflight"]["others"][0]["containers"]
    assert not [name for name in names if "node-exporter" in name]


def test_alerts_are_sent_to_every_alertmanager(spread: Any) -> None:
    config = yaml.safe_load(spread.config("prometheus-2")["files"]["prometheus.yml"])
    [there] = config["alerting"]["alertmanagers"]
    assert there["static_configs"] == [
        {"targets": ["10.0.0.1:9093", "alertmanager-2:9093", "10.0.0.3:9293"]}
    ]


def test_alertmanagers_on_several_hosts_peer_by_published_ports(spread: Any) -> None:
    command = spread.containers()["alertmanager-2"]["command"]
    assert "--cluster.listen-address=0.0.0.0:9094" in command
    assert "--cluster.advertise-address=10.0.0.2:9194" in command
    assert "--cluster.peer=10.0.0.1:9094" in command
    assert "--cluster.peer=10.0.0.3:9294" in command
    assert "gossip" not in spread.all("Network")


def test_gossip_between_hosts_with_tls_is_encrypted(spread: Any) -> None:
    command = spread.containers()["alertmanager"]["command"]
    assert "--cluster.tls-config=/etc/alertmanager/tls/gossip.yml" in command
    gossip = yaml.safe_load(spread.config("alertmanager")["secret_files"]["tls/gossip.yml"])
    assert gossip["tls_client_config"]["server_name"] == "alertmanager"
    ports = spread.containers()["alertmanager"]["ports"]
    assert {(port["external"], port["protocol"]) for port in ports} == {
        (9093, "tcp"),
        (9094, "tcp"),
    }


def test_alertmanagers_on_one_remote_host_share_a_gossip_network(run_program: Program) -> None:
    placement = dict.fromkeys(("alertmanager", "alertmanager-2", "alertmanager-3"), FAR)
    view = run_program("prod", **{**SPREAD, "placement": placement})
    assert host_of(view, "Network", f"gossip-{FAR}") == f"docker-{FAR}"
    assert view.networks_of("alertmanager") >= {"vitalstream-prod-gossip"}


def test_service_used_by_another_host_is_bound_to_the_host_address(spread: Any) -> None:
    bound = {
        name: {port["ip"] for port in container.get("ports") or []}
        for name, container in spread.containers().items()
    }
    assert bound["prometheus"] == {"10.0.0.1"}
    assert bound["redis-exporter"] == {"10.0.0.1"}
    assert bound["prometheus-2"] == {"10.0.0.2"}


def test_service_used_locally_only_stays_on_loopback(run_program: Program) -> None:
    """Place only exporters elsewhere: no host connects to this one, so it needs no address."""
    view = run_program("prod", hosts={FAR: HOSTS[FAR]})
    assert [port["ip"] for port in view.containers()["prometheus"]["ports"]] == ["127.0.0.1"]
    assert not view.containers()["node-exporter"].get("ports")
    assert view.containers()[f"node-exporter-{FAR}"]["ports"][0]["ip"] == "10.0.0.2"


def test_host_bind_address_may_differ_from_its_address(settings: Make) -> None:
    hosts = {FAR: {**HOSTS[FAR], "bindAddress": "192.168.7.2"}}
    found = settings(hosts=hosts)
    name = f"node-exporter-{FAR}"
    assert found.bind_address_of(name) == "192.168.7.2"
    assert found.reach(name, from_="prometheus") == "10.0.0.2:9100"


def test_grafana_queries_prometheus_on_another_host_by_address(run_program: Program) -> None:
    view = run_program("dev", hosts={FAR: HOSTS[FAR]}, placement={"grafana": FAR},
                       hostAddress="10.0.0.1")  # fmt: skip
    assert view.inputs("DataSource")["prometheus"]["url"] == "http://10.0.0.1:9090"
    provider = next(iter(view.inputs("Provider")[name] for name in ("grafana",)))
    assert provider["url"] == "http://10.0.0.2:3000"
    links = view.config("alertmanager")["files"]["notifications.tmpl"]
    assert "http://10.0.0.2:3000" in links


def test_providers_depend_on_preflight_of_all_hosts(spread: Any) -> None:
    for name in ("docker", f"docker-{FAR}", f"docker-{THIRD}"):
        assert any("Preflight" in urn for urn in spread.one("Provider", name).dependencies)


def test_single_host_keeps_its_provider_and_files(prod: Any) -> None:
    assert prod.one("Provider", "docker").dependencies == ()
    assert not {"host", "docker_certificates"} & prod.config("prometheus").keys()
    assert "others" not in prod.inputs("Preflight")["preflight"]


def test_placeholder_certificate_covers_every_host() -> None:
    values = {"bindAddress": "127.0.0.1", "publicHost": "", "hostAddress": "10.0.0.1"}
    made = placeholders.certificates({**values, "hosts": json.dumps(HOSTS)})
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        assert certificates.covers(made["tlsCertificate"], address)


def test_clear_text_between_hosts_is_warned_about(settings: Make) -> None:
    messages = setting_warnings.traffic_between_hosts(settings(**SPREAD))
    assert any("vitalstream:tls is off" in words for words in messages)
    assert any("exchange silences" in words for words in messages)
    assert setting_warnings.traffic_between_hosts(settings()) == []


def test_backend_unresolvable_on_another_host_is_warned_about(settings: Make) -> None:
    found = setting_warnings.unresolvable_targets
    [words] = found(settings(**SPREAD))
    assert words.startswith(f"prometheus-2 on the host {FAR} asks for backend:8000")
    assert found(settings(**SPREAD, backendTargets=["10.0.0.9:8000"])) == []
