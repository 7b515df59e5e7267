"""The stack as a whole: what it scrapes, what its rules say, and what its containers show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.exporters.node import IGNORED_INTERFACES
from ops.offline import program
from tests.live.demo.conftest import has_native_histograms
from tests.live.stack import SECRETS, Stack, eventually, not_of_this_machine

CONTAINER = "docker:index/container:Container"
# By then an alert `for: 1m` has had time to fire.
AGE_SECONDS = 90
AGE = 'time() - process_start_time_seconds{job="prometheus"}'


def test_all_targets_are_up(live: Stack) -> None:
    expected = {"prometheus", "alertmanager", "node", "postgres", "redis", "backend"}
    if "grafana" in live.result.urls:
        expected.add("grafana")

    def down() -> dict[str, str]:
        found = {
            target["scrapePool"]: target["lastError"] or "not scraped yet"
            for target in live.ask("targets", state="active")["activeTargets"]
            if target["health"] != "up"
        }
        return {job: found[job] for job in sorted(expected & set(found))}

    eventually(lambda: not down(), 60)
    assert down() == {}
    # A target is up a moment before its first samples are stored.
    assert eventually(lambda: expected <= set(live.ask("label/job/values")), 60)


def test_native_histograms_set_store_the_backends_durations_in_both_forms(
    live: Stack, images: dict[str, str]
) -> None:
    if not has_native_histograms(images):
        pytest.skip("this Prometheus is older than 3: it has no native histograms")
    name = "http_request_duration_seconds"
    found = eventually(lambda: live.ask("query", query=f"rate({name}[1m])")["result"], 60)
    assert all("histogram" in series for series in found)
    p95 = live.value(f"histogram_quantile(0.95, sum(rate({name}[1m])))")
    assert p95 is not None
    assert p95 > 0
    assert live.query(f"{name}_bucket")


def test_every_rule_of_the_files_is_loaded(live: Stack) -> None:
    files = live.config_files("prometheus")["files"]
    written = {
        rule.get("alert") or rule["record"]
        for path, text in files.items()
        if path.startswith("rules/")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    }
    assert written
    assert eventually(lambda: set(live.rules()) == written, 60)


def test_every_rule_evaluates_without_error(live: Stack) -> None:
    def faulty() -> dict[str, str]:
        return {
            name: rule.get("lastError") or rule["health"]
            for name, rule in live.rules().items()
            if rule["health"] != "ok"
        }

    eventually(lambda: not faulty(), 60)
    assert faulty() == {}


def test_no_rule_evaluation_has_failed(live: Stack) -> None:
    failures = "sum(prometheus_rule_evaluation_failures_total)"
    assert eventually(lambda: live.query(failures), 60)
    assert live.value(failures) == 0


def test_no_alert_but_the_watchdog_fires_on_the_healthy_demo(live: Stack) -> None:
    assert eventually(lambda: (live.value(AGE) or 0) > AGE_SECONDS, AGE_SECONDS)
    fired = live.query('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))')
    assert [series["metric"]["alertname"] for series in fired] == ["Watchdog"]


def test_the_watchdog_reaches_alertmanager(live: Stack) -> None:
    def arrived() -> list[str]:
        alerts = live.get("alertmanager", "/api/v2/alerts")
        return [alert["labels"]["alertname"] for alert in alerts]

    assert eventually(lambda: "Watchdog" in arrived(), 30)


def test_no_container_shows_a_secret(live: Stack) -> None:
    shown = {container.name: json.dumps(container.attrs) for container in live.containers()}
    assert shown
    leaks = [
        (name, secret)
        for name, text in shown.items()
        for secret, value in SECRETS.items()
        if value in text
    ]
    assert leaks == []


def test_every_container_is_as_the_program_asks(live: Stack) -> None:
    asked = {
        inputs["name"]: inputs
        for found in live.result.registrations
        if found.type == CONTAINER and (inputs := program.unwrap(found.inputs))
    }
    there = {container.name: container.attrs for container in live.containers()}
    for name, attrs in there.items():
        assert as_found(attrs) == as_asked(asked[name]), name


def as_asked(inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "aliases": {entry["name"]: set(entry["aliases"]) for entry in inputs["networksAdvanced"]},
        "capabilities dropped": inputs["capabilities"]["drops"],
        "cpus": float(inputs["cpus"]),
        "memory": (inputs["memory"] * 2**20, inputs["memorySwap"] * 2**20),
        "mounts": {(entry["target"], not entry["readOnly"]) for entry in inputs["mounts"]},
        "pid mode": inputs.get("pidMode", ""),
        "ports": {str(entry["external"]): entry["ip"] for entry in inputs.get("ports", [])},
        "read-only": inputs["readOnly"],
        "restart": inputs["restart"],
        "security": set(inputs["securityOpts"]),
        "stop": inputs["stopTimeout"],
        "user": inputs["user"],
    }


def as_found(attrs: dict[str, Any]) -> dict[str, Any]:
    host, config = attrs["HostConfig"], attrs["Config"]
    networks = attrs["NetworkSettings"]["Networks"]
    bindings = [binding for ports in host["PortBindings"].values() for binding in ports]
    return {
        # Docker adds the container's short id.
        "aliases": {
            name: {alias for alias in found["Aliases"] if not attrs["Id"].startswith(alias)}
            for name, found in networks.items()
        },
        "capabilities dropped": host["CapDrop"],
        "cpus": host["NanoCpus"] / 1e9,
        "memory": (host["Memory"], host["MemorySwap"]),
        "mounts": {(entry["Destination"], entry["RW"]) for entry in attrs["Mounts"]},
        "pid mode": host["PidMode"],
        "ports": {binding["HostPort"]: binding["HostIp"] for binding in bindings},
        "read-only": host["ReadonlyRootfs"],
        "restart": host["RestartPolicy"]["Name"],
        "security": set(host["SecurityOpt"]),
        "stop": config["StopTimeout"],
        "user": config["User"],
    }


@pytest.fixture
def host(live: Stack) -> Stack:
    """The stack, where its Docker Engine runs on this very machine."""
    if elsewhere := not_of_this_machine(live.client):
        pytest.skip(elsewhere)
    return live


def test_node_exporter_shows_the_memory_of_the_host(host: Stack) -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:"))
    eventually(lambda: host.query("node_memory_MemTotal_bytes"), 60)
    assert host.value("node_memory_MemTotal_bytes") == kibibytes * 1024


def test_node_exporter_shows_when_the_host_was_started(host: Stack) -> None:
    lines = Path("/proc/stat").read_text().splitlines()
    started = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    eventually(lambda: host.query("node_boot_time_seconds"), 60)
    assert host.value("node_boot_time_seconds") == pytest.approx(started, abs=1)


def test_node_exporter_shows_the_network_of_the_host(host: Stack) -> None:
    def received() -> dict[str, int]:
        lines = Path("/proc/net/dev").read_text().splitlines()[2:]
        pairs = (line.partition(":") for line in lines)
        return {
            name.strip(): int(figures.split()[0])
            for name, _, figures in pairs
            if not re.search(IGNORED_INTERFACES, name.strip())
        }

    before = received()

    def scraped() -> dict[str, float]:
        found = host.query("node_network_receive_bytes_total")
        return {series["metric"]["device"]: float(series["value"][1]) for series in found}

    eventually(lambda: all(scraped().get(name, -1) >= before[name] for name in before), 60)
    found, after = scraped(), received()
    wrong = [name for name in before if not before[name] <= found.get(name, -1) <= after[name]]
    assert wrong == []
