"""Services on the Docker host itself: `host.docker.internal` is known where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ENTRY = [{"host": "host.docker.internal", "ip": "host-gateway"}]


def _knowing(view: Any) -> set[str]:
    found = {name: one.get("hosts") for name, one in view.containers().items()}
    assert all(hosts == ENTRY for hosts in found.values() if hosts)
    return {name for name, hosts in found.items() if hosts}


@pytest.mark.parametrize(
    ("values", "knowing"),
    [
        ({}, set()),
        ({"backendTargets": ["host.docker.internal:8000"]}, {"prometheus"}),
        ({"backend": {"api": {"targets": ["host.docker.internal:8000"]}}}, {"prometheus"}),
        ({"postgresAddress": "host.docker.internal:5432"}, {"postgres-exporter"}),
        ({"redisAddress": "host.docker.internal:6379"}, {"redis-exporter"}),
    ],
)
def test_only_containers_that_ask_for_the_docker_host_know_it(
    values: dict[str, Any], knowing: set[str], run_program: Callable[..., Any]
) -> None:
    assert _knowing(run_program("dev", demo=False, **values)) == knowing


def test_exporter_of_a_server_on_the_docker_host_has_a_way_out(
    run_program: Callable[..., Any],
) -> None:
    view = run_program(
        "dev",
        demo=False,
        publishExporters=False,
        applicationNetworks=["clinic"],
        postgresAddress="host.docker.internal:5432",
    )
    internal = {name: one.get("internal") for name, one in view.inputs("Network").items()}
    assert internal["postgres-exporter"] is False
    assert internal["redis-exporter"] is True
