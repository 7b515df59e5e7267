"""A stack whose services are on three hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

FAR, THIRD = "monitor-2", "monitor-3"
HOSTS = {
    FAR: {"docker": "ssh://ops@10.0.0.2", "address": "10.0.0.2"},
    THIRD: {
        "docker": "tcp://10.0.0.3:2376",
        "address": "10.0.0.3",
        "certPath": "/etc/docker-client",
        "applicationNetworks": ["clinic"],
    },
}
SPREAD: dict[str, Any] = {
    "hosts": HOSTS,
    "hostAddress": "10.0.0.1",
    "placement": {
        "prometheus-2": FAR,
        "alertmanager-2": FAR,
        "alertmanager-3": THIRD,
        "postgres-exporter": THIRD,
    },
    "prometheus": {"replicas": 2},
    "alertmanager": {"replicas": 3},
}
Program = Callable[..., Any]


@pytest.fixture(scope="module")
def spread(run_program: Program) -> Any:
    return run_program("prod", **SPREAD)
