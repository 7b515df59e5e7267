"""A stack on two hosts, each with its own engine: addressing, and the loss of one host."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from components.catalog.replicas import names
from components.preflight.provider import PreflightProvider
from components.settings.hosts import GOSSIP_PORT
from components.settings.settings import Settings
from components.settings.tls import served_names
from ops import connections
from ops.offline import local_deploy, program
from tests import hardening
from tests.hardening import Finding
from tests.issued import issued
from tests.live import own_engine
from tests.live import stack as stacks
from tests.live.own_engine import Machine
from tests.live.stack import TIMEOUT_SECONDS, eventually

STACK = "live-hosts"
FAR = "far"
PREFLIGHT = "pulumi-python:dynamic/vitalstream:Preflight"
PLACED = {"prometheus-2": FAR, "alertmanager-2": FAR}
ALERTMANAGERS = names("alertmanager", 3)
PROMETHEUSES = names("prometheus", 2)
ON = {
    "near": {"prometheus", "alertmanager", "alertmanager-3", "node-exporter", "postgres-exporter"}
    | {"redis-exporter"},
    FAR: {"prometheus-2", "alertmanager-2", f"node-exporter-{FAR}"},
}
NEEDED = ("prometheus", "alertmanager", "node-exporter", "postgres-exporter", "redis-exporter")
WEB_PASSWORD = "live-web-Password-6"
# Prometheus' longest delay before it resends an alert, plus one or two scrapes.
DELIVERED_SECONDS = 75


@dataclass(frozen=True)
class Spread:
    """Stack that runs on two hosts: `near` is that of `dockerHost`."""

    machines: dict[str, Machine]
    config: program.StackConfig
    result: local_deploy.Result

    @functools.cached_property
    def settings(self) -> Settings:
        return self.config.settings(STACK)

    def get(self, service: str, path: str, **params: Any) -> Any:
        """Return a service's JSON response from its published address."""
        url = self.settings.local_url(service) + path
        with connections.session(self.settings) as session:
            answer = session.get(url, params=params, timeout=TIMEOUT_SECONDS)
        assert answer.ok, f"{url}: {answer.text}"
        return answer.json()

    def post(self, service: str, path: str, body: Any) -> Any:
        with connections.session(self.settings) as session:
            answer = session.post(
                self.settings.local_url(service) + path, json=body, timeout=TIMEOUT_SECONDS
            )
        assert answer.ok, answer.text
        return answer.json()

    def query(self, service: str, expr: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(service, "/api/v1/query", query=expr)["data"][
            "result"
        ]
        return found

    def containers(self, machine: str) -> dict[str, Container]:
        with contextlib.closing(self.machines[machine].client()) as client:
            mine = {"label": f"vitalstream.stack={STACK}"}
            found = client.containers.list(all=True, filters=mine)
        return {container.labels["vitalstream.service"]: container for container in found}

    def preflight(self) -> list[str]:
        """Return the failures that the preview's preflight reports."""
        inputs = next(
            found.inputs for found in self.result.registrations if found.type == PREFLIGHT
        )
        props = {k: v for k, v in program.unwrap(inputs).items() if k != "__provider"}
        return [failure.reason for failure in PreflightProvider().check({}, props).failures]


@pytest.fixture(scope="module", params=["clear", "tls"])
def spread(
    request: pytest.FixtureRequest, docker_client: docker.DockerClient, images: dict[str, str]
) -> Iterator[Spread]:
    needed = sorted({images[service] for service in NEEDED})
    with own_engine.network() as lan:
        near, far = lan.machine(needed), lan.machine(needed)
        served: dict[str, Any] = {}
        if request.param == "tls":
            hosts = served_names("127.0.0.1", "", [near.address, far.address])
            served = {"tls": True, "webPassword": WEB_PASSWORD, **issued(hosts)}
        config = stacks.config(
            images,
            dockerHost=near.url,
            hostAddress=near.address,
            hosts={FAR: {"docker": far.url, "address": far.address}},
            placement=PLACED,
            prometheus={"replicas": len(PROMETHEUSES)},
            alertmanager={"replicas": len(ALERTMANAGERS)},
            # postgres_exporter tries a database that is away for a second, for one scrape after the
            # other: two Prometheuses that ask every 2 s may not get their answers in time.
            scrapeInterval="5s",
            # Nothing answers there. A name would take longer than a scrape: no name server.
            postgresAddress=f"{near.address}:5432",
            redisAddress=f"{near.address}:6379",
            **served,
        )
        result = local_deploy.up(STACK, config, stacks.say)
        yield Spread({"near": near, FAR: far}, config, result)


def test_service_runs_on_its_placement_host(spread: Spread) -> None:
    for machine, services in ON.items():
        assert spread.containers(machine).keys() == services


@pytest.mark.parametrize("prometheus", PROMETHEUSES)
def test_prometheus_scrapes_services_on_both_hosts(spread: Spread, prometheus: str) -> None:
    wanted = {
        *(f"{name}:9090" for name in PROMETHEUSES),
        *(f"{name}:9093" for name in ALERTMANAGERS),
        *("node-exporter:9100", f"node-exporter-{FAR}:9100"),
        *("postgres-exporter:9187", "redis-exporter:9121"),
    }

    def up() -> set[str]:
        return {series["metric"]["instance"] for series in spread.query(prometheus, "up == 1")}

    assert eventually(lambda: wanted <= up(), 60), wanted - up()


def test_each_host_has_a_node_exporter(spread: Spread) -> None:
    memory = spread.query("prometheus", 'node_memory_MemTotal_bytes{job="node"}')
    instances = {series["metric"]["instance"] for series in memory}
    assert instances == {"node-exporter:9100", f"node-exporter-{FAR}:9100"}


def test_alertmanagers_on_two_hosts_form_one_cluster(spread: Spread) -> None:
    settings = spread.settings
    wanted = {
        f"{settings.url_address(name)}:{settings.gossip_port(name)}" for name in ALERTMANAGERS
    }

    def peers(name: str) -> set[str]:
        cluster = spread.get(name, "/api/v2/status")["cluster"]
        return {peer["address"] for peer in cluster["peers"]}

    for name in ALERTMANAGERS:
        assert eventually(lambda one=name: peers(one) == wanted, 30), (name, peers(name))


@pytest.mark.parametrize("name", ALERTMANAGERS)
def test_alert_reaches_alertmanagers_on_both_hosts(spread: Spread, name: str) -> None:
    def reported() -> bool:
        alerts = spread.get(name, "/api/v2/alerts")
        return any(alert["labels"]["alertname"] == "Watchdog" for alert in alerts)

    assert eventually(reported, DELIVERED_SECONDS)


def test_silence_is_replicated_to_the_other_host(spread: Spread) -> None:
    body = {
        "matchers": [{"name": "alertname", "value": "Nobody", "isRegex": False}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "live",
        "comment": "sent across hosts",
    }
    made = spread.post("alertmanager", "/api/v2/silences", body)["silenceID"]

    def known() -> bool:
        return made in {one["id"] for one in spread.get("alertmanager-2", "/api/v2/silences")}

    assert eventually(known, 30)


@pytest.mark.parametrize("machine", sorted(ON))
def test_ports_are_bound_to_the_host_address_only(spread: Spread, machine: str) -> None:
    address = spread.machines[machine].address
    for service, container in spread.containers(machine).items():
        bound = [
            (inner, one["HostIp"])
            for inner, outer in (container.attrs["HostConfig"]["PortBindings"] or {}).items()
            for one in outer
        ]
        assert {ip for _, ip in bound} == {address}, service
        gossip = {inner for inner, _ in bound if inner.startswith(f"{GOSSIP_PORT}/")}
        both = {f"{GOSSIP_PORT}/tcp"} if spread.settings.tls else {"9094/tcp", "9094/udp"}
        assert gossip == (both if service in ALERTMANAGERS else set())


@pytest.mark.parametrize("machine", sorted(ON))
def test_placed_containers_meet_the_hardening_benchmark(spread: Spread, machine: str) -> None:
    found = [
        Finding(finding.number, "node-exporter" if "node-exporter" in service else service)
        for service, container in spread.containers(machine).items()
        for finding in hardening.findings(service, container.attrs)
        # One more of the ports that the test above checked.
        if not (finding.number == "5.8" and service in ALERTMANAGERS)
    ]
    assert [finding for finding in found if not hardening.accepted(finding)] == []


def test_preflight_on_running_stack_finds_no_conflict(spread: Spread) -> None:
    assert spread.preflight() == []


def test_unreachable_host_is_reported_and_the_other_host_not_changed(spread: Spread) -> None:
    def started() -> dict[str, str]:
        return {
            name: container.attrs["State"]["StartedAt"]
            for name, container in spread.containers("near").items()
        }

    before = started()
    spread.machines[FAR].stop_engine()
    try:
        [reported] = spread.preflight()
        with pytest.raises(local_deploy.LocalDeployError, match=f"hosts.{FAR}.docker"):
            local_deploy.up(STACK, spread.config, stacks.say)
    finally:
        spread.machines[FAR].start_engine()
    assert reported.startswith(f"No Docker Engine answers on the host {FAR}, at unix://")
    assert f"vitalstream:hosts.{FAR}.docker" in reported
    assert "docs/operations/hosts.md#remove-a-lost-host" in reported
    assert started() == before
