"""The settings in docs/guides/managed-databases.md, as the program takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus.config import jobs_of_stack
from components.settings.settings import Settings
from tests.certificates import authority

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "managed-databases.md"
BLOCKS = [
    yaml.safe_load(text)["config"]["vitalstream:servers"]
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
]


@pytest.mark.parametrize("servers", BLOCKS, ids=lambda one: next(iter(next(iter(one.values())))))
def test_settings_of_the_page_watch_each_server(
    servers: dict[str, dict[str, dict[str, Any]]], settings: Callable[..., Settings]
) -> None:
    """With the password and the authorities that the page's commands set."""
    ca = authority().pem
    for named in servers.values():
        for server in named.values():
            server["password"] = "canary-0123456789"
            if server.get("sslmode"):
                server["ca"] = ca
    found = settings(secret_keys=("servers",), servers=servers)
    jobs = jobs_of_stack(found)
    for kind, job in (("postgresql", "postgres"), ("redis", "redis")):
        targets = [one for part in jobs[job]["static_configs"] for one in part["targets"]]
        for name in servers.get(kind, {}):
            assert any(target.startswith(f"{job}-exporter-{name}:") for target in targets)
