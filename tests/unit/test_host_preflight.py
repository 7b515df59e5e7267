"""Preflight of several hosts: which are unreachable, the same engine, or have a port taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from components.docker.connection import ConfigFilesError
from components.preflight import checks
from components.preflight.provider import PreflightProvider
from tests.unit import several_hosts
from tests.unit.several_hosts import FAR, THIRD

spread = several_hosts.spread


def engine(name: str) -> Any:
    listed = SimpleNamespace(list=lambda **_: [])
    return SimpleNamespace(
        containers=listed, networks=listed, info=lambda: {"ID": name}, close=lambda: None
    )


def preflight_failures(
    monkeypatch: pytest.MonkeyPatch, view: Any, connect: Callable[[dict[str, Any]], Any]
) -> list[str]:
    monkeypatch.setattr(checks, "connect_to", connect)
    props = view.inputs("Preflight")["preflight"]
    return [failure.reason for failure in PreflightProvider().check({}, props).failures]


def test_preflight_with_reachable_hosts_passes(
    monkeypatch: pytest.MonkeyPatch, spread: Any
) -> None:
    missing = preflight_failures(monkeypatch, spread, lambda props: engine(props.get("host", "")))
    assert missing == [
        f"On the host {THIRD}: There is no network clinic to join: make it, or take it out of "
        f"vitalstream:hosts.{THIRD}.applicationNetworks."
    ]


def test_preflight_reports_only_unreachable_hosts(
    monkeypatch: pytest.MonkeyPatch, spread: Any
) -> None:
    def refuse(props: dict[str, Any]) -> Any:
        if host := props.get("host"):
            raise ConfigFilesError(f"{host} does not answer")
        return engine("")

    assert preflight_failures(monkeypatch, spread, refuse) == [
        f"{FAR} does not answer",
        f"{THIRD} does not answer",
    ]


def test_preflight_with_silent_host_times_out(monkeypatch: pytest.MonkeyPatch, spread: Any) -> None:
    over = threading.Event()
    monkeypatch.setattr(checks, "PATIENCE_SECONDS", 0.2)

    def swallow(props: dict[str, Any]) -> Any:
        if props.get("host") == FAR:
            over.wait(10)
        return engine(props.get("host", ""))

    messages = preflight_failures(monkeypatch, spread, swallow)
    over.set()
    [words] = messages
    assert words.startswith(f"No Docker Engine answers on the host {FAR}, at ssh://ops@10.0.0.2")
    assert "no answer in 0.2 s" in words


def test_preflight_with_one_engine_under_two_names_fails(
    monkeypatch: pytest.MonkeyPatch, spread: Any
) -> None:
    messages = preflight_failures(
        monkeypatch, spread, lambda props: engine("far" if props.get("host") == THIRD else "one")
    )
    assert messages == [
        f"dockerHost and {FAR} are the same Docker Engine (vitalstream:hosts): each host needs one "
        "of its own, or their containers would conflict."
    ]


def test_preflight_with_taken_port_names_the_host(
    monkeypatch: pytest.MonkeyPatch, spread: Any
) -> None:
    holder = SimpleNamespace(
        name="other",
        labels={},
        attrs={
            "NetworkSettings": {
                "Ports": {
                    f"{port}/tcp": [{"HostIp": "0.0.0.0", "HostPort": port}]
                    for port in ("9100", "9194")
                }
            }
        },
    )
    there = SimpleNamespace(list=lambda **_: [holder])

    def connect(props: dict[str, Any]) -> Any:
        found = engine(props.get("host", ""))
        if props.get("host") == FAR:
            found.containers = there
        return found

    port, gossip, _network = preflight_failures(monkeypatch, spread, connect)
    where = f"On the host {FAR}: Port 9100 of 10.0.0.2, where node-exporter-{FAR} is published"
    assert port.startswith(where)
    assert "--path 'ports.node-exporter'" in port
    assert gossip.endswith("where alertmanager-2 is published, is taken by other: free it.")
