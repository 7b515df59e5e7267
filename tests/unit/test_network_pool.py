"""Networks of a stack out of one pool of addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from components.catalog.networks import subnet_of
from components.preflight import conflicts

POOL = "10.217.4.0/24"


def network(name: str, subnet: str, stack: str = "other") -> Any:
    attrs = {"IPAM": {"Config": [{"Subnet": subnet}]}, "Labels": {conflicts.STACK_LABEL: stack}}
    return SimpleNamespace(name=name, attrs=attrs)


@pytest.fixture
def no_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "_routes", list)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_network_pool_set_gives_each_network_its_subnet(
    run_program: Callable[..., Any], stack: str
) -> None:
    networks = run_program(stack, networkPool=POOL).inputs("Network")
    subnets = [ipaddress.ip_network(one["ipamConfigs"][0]["subnet"]) for one in networks.values()]
    assert len(set(subnets)) == len(networks)
    assert all(one.subnet_of(ipaddress.ip_network(POOL)) for one in subnets)


def test_network_pool_unset_leaves_the_choice_to_docker(run_program: Callable[..., Any]) -> None:
    networks = run_program("prod").inputs("Network")
    assert all(not one.get("ipamConfigs") for one in networks.values())


def test_network_pool_keeps_the_place_of_a_network() -> None:
    """Another place would replace the network of every stack that has it."""
    pool = ipaddress.IPv4Network(POOL)
    places = {name: str(subnet_of(pool, name)) for name in ("alertmanager", "demo", "gossip")}
    assert places == {
        "alertmanager": "10.217.4.0/28",
        "demo": "10.217.4.96/28",
        "gossip": "10.217.4.112/28",
    }


@pytest.mark.usefixtures("no_routes")
def test_taken_pool_with_another_network_names_it_and_the_fix() -> None:
    found = conflicts.taken_pool(POOL, [network("app", "10.217.0.0/16")], "prod", local=True)
    (words,) = found
    assert "overlaps the Docker network app (10.217.0.0/16)" in words
    assert "fix: pulumi config set networkPool" in words


@pytest.mark.usefixtures("no_routes")
def test_taken_pool_with_networks_of_the_stack_reports_nothing() -> None:
    own = [network("grafana", "10.217.4.16/28", "prod")]
    assert list(conflicts.taken_pool(POOL, own, "prod", local=True)) == []


def test_taken_pool_with_a_route_of_the_host_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "_routes", lambda: [ipaddress.IPv4Network("10.217.0.0/16")])
    (words,) = conflicts.taken_pool(POOL, [], "prod", local=True)
    assert "a route of this host" in words


def test_routes_returns_this_machines_routes() -> None:
    assert all(isinstance(one, ipaddress.IPv4Network) for one in conflicts._routes())


@pytest.mark.parametrize(("used", "refused"), [(26, False), (27, True)])
def test_exhausted_pools_with_few_networks_left_names_the_fix(used: int, refused: bool) -> None:
    networks = [network(f"n{count}", f"172.{17 + count // 16}.0.0/16") for count in range(used)]
    found = list(conflicts.exhausted_pools(networks, "prod"))
    assert bool(found) == refused
    assert all("fix: pulumi config set networkPool" in words for words in found)


def test_exhausted_pools_with_running_stack_reports_nothing() -> None:
    networks = [network(f"n{count}", "172.17.0.0/16") for count in range(30)]
    assert not list(conflicts.exhausted_pools([*networks, network("g", POOL, "prod")], "prod"))
