"""The running containers against the benchmark, and who can reach whom, by trying."""

from __future__ import annotations

import json

import pytest
from docker.models.containers import Container

from tests import hardening
from tests.figures import ReportFigure
from tests.hardening import Finding
from tests.live.stack import Stack

SERVICE_LABEL = "vitalstream.service"
EVERYWHERE = {"5.14", "5.28"}
NODE_EXPORTERS = {"5.2", "5.5", "5.15"}
# Not part of these stacks: tests/live/test_containers.py.
CADVISORS = {"4.1", "5.3", "5.5", "5.17"}
PORTS = {
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "node-exporter": 9100,
    "postgres-exporter": 9187,
    "redis-exporter": 9121,
    "demo-backend": 8000,
    "demo-postgres": 5432,
    "demo-redis": 6379,
}
# Reserved for documentation (RFC 5737): there is nobody there, and asking does no harm.
OUTSIDE = ("192.0.2.1", 9)
TRY = """
import concurrent.futures, errno, json, socket, sys
def reach(address):
    with socket.socket() as s:
        s.settimeout(1)
        return errno.errorcode.get(s.connect_ex(tuple(address)), "OK")
targets = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    tries = {name: [pool.submit(reach, a) for a in found] for name, found in targets.items()}
    print(json.dumps({name: [t.result() for t in found] for name, found in tries.items()}))
"""
# Nobody answers, as against a refusal, which comes from a machine that was reached.
NOT_REACHED = {"EAGAIN", "ENETUNREACH", "EHOSTUNREACH"}


@pytest.fixture(params=["live", "bare"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.getfixturevalue(request.param)
    return found


def test_every_container_meets_the_benchmark_but_for_the_written_exceptions(
    stack: Stack, report_figure: ReportFigure
) -> None:
    inspected = {found.labels[SERVICE_LABEL]: found.attrs for found in stack.containers()}
    found = [
        finding
        for service, attrs in inspected.items()
        for finding in hardening.findings(service, attrs)
    ]
    faults = [finding for finding in found if not hardening.accepted(finding)]
    asked = len(hardening.ITEMS) * len(inspected)
    report_figure(
        f"{stack.name}: {asked - len(found)} of {asked} met ({len(hardening.ITEMS)} items, "
        f"{len(inspected)} containers), {len(found) - len(faults)} excepted with a reason"
    )
    assert inspected
    assert faults == []


def test_the_exceptions_are_these_and_no_more() -> None:
    everywhere = {Finding(number, "*") for number in EVERYWHERE}
    node_exporters = {Finding(number, "node-exporter") for number in NODE_EXPORTERS}
    cadvisors = {Finding(number, "cadvisor") for number in CADVISORS}
    assert set(hardening.exceptions()) == everywhere | node_exporters | cadvisors


def test_every_exception_is_needed(live: Stack) -> None:
    found = {
        finding
        for container in live.containers()
        for finding in hardening.findings(container.labels[SERVICE_LABEL], container.attrs)
    }
    numbers = {finding.number for finding in found}
    unneeded = [
        exception
        for exception in hardening.exceptions()
        if exception not in found
        and exception.service != "cadvisor"
        and (exception.service != "*" or exception.number not in numbers)
    ]
    assert unneeded == []


def _addresses(container: Container) -> list[str]:
    networks = container.attrs["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]


def _tried_from(
    stack: Stack, source: str, targets: dict[str, list[tuple[str, int]]]
) -> dict[str, list[str]]:
    """What a connection to each address came to, from within the network of `source`."""
    backend = stack.container("demo-backend")
    output = stack.client.containers.run(
        backend.image,
        ["-c", TRY, json.dumps(targets)],
        entrypoint=["python3"],
        network_mode=f"container:{stack.container(source).id}",
        remove=True,
        labels={"vitalstream.stack": stack.name},
    )
    found: dict[str, list[str]] = json.loads(output)
    return found


def _networks(container: Container) -> set[str]:
    return set(container.attrs["NetworkSettings"]["Networks"])


def _ways_out(stack: Stack, service: str) -> set[str]:
    networks = [stack.client.networks.get(name) for name in _networks(stack.container(service))]
    return {network.name or "" for network in networks if not network.attrs["Internal"]}


@pytest.fixture(scope="module")
def reached(live: Stack) -> dict[str, dict[str, list[str]]]:
    """Each service's attempts at every other, and at the world outside."""
    there = {found.labels[SERVICE_LABEL]: found for found in live.containers()}
    targets = {
        service: [(address, PORTS[service]) for address in _addresses(container)]
        for service, container in there.items()
        if service in PORTS
    }
    return {
        source: _tried_from(
            live,
            source,
            {
                "outside": [OUTSIDE],
                **{name: found for name, found in targets.items() if name != source},
            },
        )
        for source in there
    }


def test_who_shares_no_network_cannot_reach_another(
    live: Stack, reached: dict[str, dict[str, list[str]]]
) -> None:
    there = {found.labels[SERVICE_LABEL]: found for found in live.containers()}
    wrong = [
        (source, target)
        for source, attempts in reached.items()
        for target, results in attempts.items()
        if target != "outside"
        and ("OK" in results) != bool(_networks(there[source]) & _networks(there[target]))
    ]
    assert wrong == []


@pytest.mark.parametrize("source", ["grafana", "alertmanager", "node-exporter"])
def test_what_does_not_look_at_the_application_reaches_prometheus_alone(
    source: str, reached: dict[str, dict[str, list[str]]]
) -> None:
    if source not in reached:
        pytest.skip(f"no image of {source} is available")
    assert {name for name, results in reached[source].items() if "OK" in results} == {"prometheus"}


@pytest.mark.parametrize(
    "source",
    ["node-exporter", "postgres-exporter", "redis-exporter", "demo-postgres", "demo-redis"],
)
def test_exporters_and_databases_have_no_way_out(
    source: str, live: Stack, reached: dict[str, dict[str, list[str]]]
) -> None:
    assert set(reached[source]["outside"]) <= NOT_REACHED
    assert _ways_out(live, source) == set()


def test_alertmanager_has_the_way_out_that_its_messages_take(live: Stack) -> None:
    assert _ways_out(live, "alertmanager") == {"vitalstream-live-alertmanager"}


def test_only_what_the_settings_publish_has_a_port_on_the_host(stack: Stack) -> None:
    published = {
        found.labels[SERVICE_LABEL]
        for found in stack.containers()
        if found.attrs["HostConfig"]["PortBindings"]
    }
    assert published == set(stack.result.urls)
    assert published <= {"prometheus", "alertmanager", "grafana"}
