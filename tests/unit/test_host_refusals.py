"""Settings of several hosts that are refused, and with which message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.settings.settings import Settings
from tests.unit.several_hosts import FAR, HOSTS, SPREAD, THIRD

Make = Callable[..., Settings]

# key, value, path, what the message must say.
WRONG = [
    ("placement", {"prometheus-2": "monitor-9"}, "placement.prometheus-2",
     f"is an unknown host; vitalstream:hosts has: {FAR}, {THIRD}"),
    ("placement", {"prometheus-3": FAR}, "placement.prometheus-3", "prometheus.replicas says"),
    ("placement", {"node-exporter": FAR}, "placement.node-exporter", "every host has its own"),
    ("placement", {"demo-backend": FAR}, "placement.demo-backend", "can be placed: al"),
    ("hosts", {"Far": HOSTS[FAR]}, "hosts.Far", "is not a name of a host"),
    ("hosts", {FAR: {"docker": "ssh://a@b"}}, f"hosts.{FAR}.address", "is missing"),
    ("hosts", {FAR: {**HOSTS[FAR], "docker": "b"}}, f"hosts.{FAR}.docker", "is not a Docker host"),
    ("hosts", {FAR: {**HOSTS[FAR], "docker": "tcp://10.0.0.2:2375"}}, f"hosts.{FAR}.docker",
     "asks for no certificate"),
    ("hosts", {FAR: {**HOSTS[FAR], "address": "127.0.0.1"}}, f"hosts.{FAR}.address",
     "is not an address at which another machine reaches this one"),
    ("hosts", {FAR: {**HOSTS[FAR], "address": "monitor"}}, f"hosts.{FAR}.address", "IP address"),
    ("hosts", {FAR: HOSTS[FAR], THIRD: {**HOSTS[THIRD], "address": "10.0.0.2"}},
     f"hosts.{THIRD}.address", "is the address of another host as well"),
    ("hosts", {FAR: {**HOSTS[FAR], "adress": "10.0.0.2"}}, f"hosts.{FAR}.adress",
     "unknown setting"),
    ("hostAddress", "", "hostAddress", "is missing: other hosts ask prometheus, alertmanager"),
    ("hostAddress", "0.0.0.0", "hostAddress", "is not an address at which another machine"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "path", "words"), WRONG)
def test_wrong_host_setting_is_reported(
    refused: Callable[..., str], key: str, value: Any, path: str, words: str
) -> None:
    messages = refused({**SPREAD, key: value})
    assert f"vitalstream:{path}" in messages
    assert words in messages


def test_several_grafanas_on_other_hosts_than_balancer_are_refused(
    refused: Callable[..., str],
) -> None:
    several = {"replicas": 2, "database": {"address": "db.example.com:5432"}}
    messages = refused(
        {
            "hosts": HOSTS,
            "grafana": several,
            "grafanaDatabasePassword": "a-password-1",
            "placement": {"grafana-2": FAR},
        }
    )
    assert "several Grafanas and their balancer stay beside each other" in messages
    messages = refused({**SPREAD, "grafana": several, "grafanaDatabasePassword": "a-password-1"})
    assert "placement.prometheus-2" in messages
    assert "it could not scrape them" in messages


def test_port_used_twice_on_one_host_is_refused(
    refused: Callable[..., str], settings: Make
) -> None:
    messages = refused({**SPREAD, "ports": {"prometheus-2": 9100}})
    assert f"has port 9100 twice, for prometheus-2 and node-exporter-{FAR}" in messages
    assert settings(**SPREAD, ports={"prometheus-2": 9090}).published["prometheus-2"] == 9090


def test_port_of_gossip_used_twice_is_refused(refused: Callable[..., str]) -> None:
    messages = refused({**SPREAD, "ports": {"prometheus": 9094}})
    assert "has port 9094 twice, for prometheus and the gossip of alertmanager" in messages


def test_demo_exporter_on_another_host_is_refused(refused: Callable[..., str]) -> None:
    messages = refused({**SPREAD, "demo": "true"})
    assert f"where postgres-exporter on {THIRD} cannot see it" in messages


def test_clear_text_between_hosts_in_prod_is_refused(refused: Callable[..., str]) -> None:
    assert "pass the network in clear text" in refused(SPREAD, stack="prod")


def test_clear_text_over_public_network_is_refused(refused: Callable[..., str]) -> None:
    hosts = {FAR: {**HOSTS[FAR], "address": "8.8.8.8"}}
    assert "8.8.8.8 is in no private network" in refused({"hosts": hosts})


@pytest.mark.parametrize("name", ["prometheus-2", "grafana"])
def test_thanos_component_on_separate_host_is_refused(
    refused: Callable[..., str], name: str
) -> None:
    messages = refused({**SPREAD, "placement": {name: FAR}, "thanos": {"directory": True}})
    assert (
        f"it has no network in common with {name} on {FAR}: take placement.{name} out" in messages
    )
