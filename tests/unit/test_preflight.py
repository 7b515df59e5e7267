"""Preview failures of a Docker host that cannot run the stack."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from components.docker.connection import ConfigFilesError
from components.preflight import checks
from components.preflight.provider import PreflightProvider

PORT = 9093


@dataclass
class Engine:
    """Part of a Docker client that the preflight uses."""

    there: list[Any] = field(default_factory=list)

    @property
    def containers(self) -> Any:
        return SimpleNamespace(list=lambda **_: self.there)

    @property
    def networks(self) -> Any:
        attrs = {"IPAM": {"Config": [{"Subnet": "10.216.4.0/24"}]}, "Labels": {}}
        return SimpleNamespace(list=lambda: [SimpleNamespace(name="application", attrs=attrs)])


def container(name: str, stack: str | None, port: int | None = None) -> Any:
    binding = [{"HostIp": "127.0.0.1", "HostPort": str(port)}] if port else None
    labels = {"vitalstream.stack": stack} if stack else {}
    attrs = {"NetworkSettings": {"Ports": {"1/tcp": binding}}}
    return SimpleNamespace(name=name, labels=labels, attrs=attrs)


def props(**changes: Any) -> dict[str, Any]:
    return {
        "docker_host": "tcp://elsewhere",
        "stack": "dev",
        "bind_address": "127.0.0.1",
        "ports": {"alertmanager": float(PORT)},
        "containers": ["vitalstream-dev-alertmanager"],
        "networks": [],
        **changes,
    }


def problems(monkeypatch: pytest.MonkeyPatch, engine: Engine, **changes: Any) -> list[str]:
    monkeypatch.setattr(checks, "connect_to", lambda _host: engine)
    return [failure.reason for failure in PreflightProvider().check({}, props(**changes)).failures]


def test_empty_host_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, Engine()) == []


def test_own_containers_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    own = container("vitalstream-dev-alertmanager", "dev", PORT)
    assert problems(monkeypatch, Engine([own])) == []


def test_port_of_another_container_is_reported_with_its_holder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [words] = problems(monkeypatch, Engine([container("other", None, PORT)]))
    assert words.startswith(
        "Port 9093 of 127.0.0.1, where alertmanager is published, is taken by other: free it"
    )


def test_port_of_another_program_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        [words] = problems(
            monkeypatch,
            Engine(),
            docker_host="unix:///var/run/docker.sock",
            ports={"alertmanager": holder.getsockname()[1]},
        )
    assert "is taken by another program" in words


def test_name_of_another_container_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    [words] = problems(monkeypatch, Engine([container("vitalstream-dev-alertmanager", "prod")]))
    assert "`docker container rm vitalstream-dev-alertmanager`" in words


def test_missing_application_network_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    [words] = problems(monkeypatch, Engine(), networks=["application", "absent"])
    assert words.startswith("There is no network absent to join")


def prometheus(*flags: str) -> Any:
    found = container("vitalstream-dev-prometheus", "dev")
    found.attrs["Config"] = {"Cmd": ["--storage.tsdb.retention.time=30d", *flags]}
    return found


def test_thanos_history_to_be_deleted_is_reported_with_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [words] = problems(monkeypatch, Engine([prometheus()]), local_retention="4d")
    assert words.startswith("vitalstream-dev-prometheus keeps 30d, and nothing of it is in the")
    assert "`pulumi config set --path thanos.localRetention 30d --stack dev`" in words


@pytest.mark.parametrize(
    ("flags", "local"),
    [((), "30d"), ((), None), (("--storage.tsdb.max-block-duration=2h",), "4d")],
    ids=["as-long", "set-by-hand", "uploaded"],
)
def test_thanos_history_kept_uploaded_or_discarded_passes(
    flags: tuple[str, ...], local: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"local_retention": local} if local else {}
    assert problems(monkeypatch, Engine([prometheus(*flags)]), **changes) == []


def test_unreachable_engine_is_reported_with_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_host: str) -> Engine:
        raise ConfigFilesError("No Docker Engine answers")

    monkeypatch.setattr(checks, "connect_to", refuse)
    [failure] = PreflightProvider().check({}, props()).failures
    assert failure.reason == "No Docker Engine answers"


def test_diff_of_unchanged_hosts_is_empty() -> None:
    assert PreflightProvider().diff("preflight", props(), props()).changes is False


def test_update_stores_the_checked_inputs() -> None:
    provider, changed = PreflightProvider(), props(stack="prod")
    kept = provider.update("preflight", props(), changed).outs
    assert kept is not None
    assert provider.diff("preflight", kept, changed).changes is False


def test_diff_of_removed_host_is_a_change() -> None:
    before = props(others=[{"host": "far"}])
    assert PreflightProvider().diff("preflight", before, props()).changes


def test_subnet_of_another_network_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    [words] = problems(monkeypatch, Engine(), subnets=["10.216.4.16/28"])
    assert "is taken by the network application (10.216.4.0/24)" in words
    assert "alertmanager.gossipSubnet" in words


def test_free_subnet_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, Engine(), subnets=["10.216.5.16/28"]) == []
