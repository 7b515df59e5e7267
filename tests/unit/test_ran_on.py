"""Lines that describe the environment of a test run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.catalog.images import IMAGES
from ops import dev_machine
from ops.offline.local_deploy import local
from tests import ran_on

ENGINE: dict[str, Any] = {
    "version": lambda: {"Version": "28.5.2", "ApiVersion": "1.51"},
    "info": lambda: {"Driver": "overlayfs", "CgroupVersion": "2", "KernelVersion": "6.1"},
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return an engine with an image of Prometheus and one of Grafana."""
    found = {"prometheus": "vitalstream-local/prometheus:3.5.3", "grafana": "local/grafana:12.4.0"}
    monkeypatch.setattr(dev_machine, "docker_client", lambda: SimpleNamespace(**ENGINE))
    monkeypatch.setattr(local, "present_images", lambda _: found)
    monkeypatch.delenv("LIVE_IMAGES", raising=False)
    monkeypatch.delenv("IMAGES", raising=False)


def test_lines_without_an_engine_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_machine, "docker_client", lambda: None)
    assert ran_on.lines()[0] == "Docker: none here"


def test_lines_name_the_engine_s_version_storage_and_cgroups(engine: None) -> None:
    expected = (
        "Docker: 28.5.2 (API 1.51), storage overlayfs, firewall iptables, cgroup v2, kernel 6.1"
    )
    assert ran_on.lines()[0] == expected


def test_lines_name_the_images_that_are_there_and_those_that_are_made(engine: None) -> None:
    lines = dict(line.split(": ", 1) for line in ran_on.lines())
    assert lines["Grafana"] == "12.4.0"
    assert lines["images"] == "prometheus 3.5.3"
    assert "alertmanager" in lines["made of Debian testing when a test needs them"]


def test_lines_of_pinned_images_have_their_tags(
    engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_IMAGES", "pinned")
    assert f"prometheus {IMAGES['prometheus'].tag}" in ran_on.lines()[1]
