"""Warned of before it hurts: valid settings that will; and addresses that lead nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.settings import notification_warnings
from components.settings import warnings as setting_warnings
from components.settings.settings import Settings
from components.user_files.paths import PROJECT_DIR

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bindAddress": "0.0.0.0"}, "all interfaces, and tls is off"),
        ({"bindAddress": "::"}, "all interfaces, and tls is off"),
        ({"dockerHost": "tcp://10.0.0.5:2376"}, "whoever reaches that port is root there"),
        ({"redisPassword": "hunter2"}, "redisPassword is weak: it has fewer than 12 characters"),
        (
            {"postgresPassword": "passwordpassword"},
            "postgresPassword is a default or a well-known password; change it on the server",
        ),
    ],
)
def test_warnings_of_a_risky_setting_name_the_risk(
    values: dict[str, Any], words: str, settings: SettingsOf
) -> None:
    assert any(words in warning for warning in setting_warnings.warnings(settings(**values)))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"bindAddress": "10.0.0.5"},
        {"dockerHost": "ssh://ops@10.0.0.5"},
        {"dockerHost": "tcp://127.0.0.1:2375"},
        {"dockerHost": "tcp://10.0.0.5:2376", "dockerCertPath": "/etc/docker-client"},
    ],
)
def test_warnings_of_a_safe_setting_do_not_mention_it(
    values: dict[str, Any], settings: SettingsOf
) -> None:
    found = [*setting_warnings.warnings(settings(**values))]
    assert not any("bindAddress" in one or "dockerHost" in one for one in found)


@pytest.mark.parametrize(
    ("stack", "values", "missing"),
    [
        ("prod", {}, {"heartbeatUrl", "publicHost"}),
        ("prod", {"publicHost": "mon.example.com"}, {"heartbeatUrl"}),
        ("prod", {"heartbeatUrl": "https://a.example/b", "publicHost": "a.example"}, set()),
        ("dev", {}, set()),
    ],
)
def test_warnings_in_prod_name_a_missing_heartbeat_and_public_host(
    stack: str, values: dict[str, Any], missing: set[str], settings: SettingsOf
) -> None:
    found = [*notification_warnings.unnoticed_in_prod(settings(stack, **values))]
    assert {one.split()[0].removeprefix("vitalstream:") for one in found} == missing


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backendTargets", ["{}:8000"]),
        ("postgresAddress", "{}:5432"),
        ("redisAddress", "{}:6379"),
    ],
)
def test_loopback_as_a_target_is_refused_with_what_to_write(
    key: str, value: Any, host: str, refused: Refused
) -> None:
    target = [one.format(host) for one in value] if isinstance(value, list) else value.format(host)
    message = refused({key: target})
    assert "is the asking container itself, and not this machine" in message
    assert "write host.docker.internal:" in message


@pytest.mark.parametrize("password", ["canary-${HOME}-9f", "canary-$__file{/etc/x}"])
def test_grafana_password_that_grafana_would_expand_is_refused(
    password: str, refused: Refused
) -> None:
    message = refused({"grafanaAdminPassword": password})
    assert "which Grafana would expand" in message
    assert "canary" not in message


def test_certificates_of_docker_without_tcp_are_refused(refused: Refused) -> None:
    message = refused({"dockerHost": "ssh://ops@10.0.0.5", "dockerCertPath": "/etc/docker-client"})
    assert "vitalstream:dockerCertPath" in message
    assert "is of no use with dockerHost ssh://ops@10.0.0.5" in message


def test_certificates_of_docker_reach_the_provider(run_program: Callable[..., Any]) -> None:
    values = {"dockerHost": "tcp://10.0.0.5:2376", "dockerCertPath": "/etc/docker-client"}
    view = run_program("dev", **values)
    assert view.inputs("Provider")["docker"]["certPath"] == "/etc/docker-client"
    assert view.config("prometheus")["docker_certificates"] == "/etc/docker-client"


BOARD = {"title": "Own", "uid": "own", "panels": []}
STAT = {"type": "stat", "datasource": {"uid": "vitalstream-prometheus"}}


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (STAT, None),
        ({**STAT, "datasource": "Prometheus"}, None),
        ({**STAT, "datasource": {"uid": "${source}"}}, None),
        ({**STAT, "datasource": {"uid": "P1809F7CD0C75ACF3"}}, "the data source P1809F7CD0C75ACF3"),
        ({**STAT, "type": "grafana-clock-panel"}, "panels of the type grafana-clock-panel"),
        ({"type": "row", "panels": [{"type": "jdbranham-diagram-panel"}]}, "jdbranham-diagram"),
    ],
)
def test_own_dashboard_that_stays_empty_is_warned_of(
    panel: dict[str, Any], words: str | None, settings: SettingsOf, tmp_path: Path
) -> None:
    variable = {"name": "source", "type": "datasource"}
    board = {**BOARD, "panels": [panel], "templating": {"list": [variable]}}
    (tmp_path / "own.json").write_text(json.dumps(board))
    folder = os.path.relpath(tmp_path, PROJECT_DIR)
    warnings = setting_warnings.warnings(settings(dashboardsFolder=folder))
    found = [one for one in warnings if "own.json" in one]
    assert [words in one for one in found if words] == ([True] if words else [])
    assert len(found) == (1 if words else 0)


@pytest.mark.parametrize(
    ("reference", "is_old"),
    [
        ("prom/prometheus:v2.52.0", True),
        ("harbor.example.com:5000/prom/prometheus:v2.45.1-busybox", True),
        ("prom/prometheus:v2.53.0", False),
        ("prom/prometheus:v3.5.0@sha256:" + "0" * 64, False),
        ("harbor.example.com:5000/prometheus:main", False),
    ],
)
def test_image_older_than_the_supported_versions_is_a_warning(
    reference: str, is_old: bool, settings: SettingsOf
) -> None:
    found = [*setting_warnings.old_images(settings(images={"prometheus": reference}))]
    assert bool(found) is is_old
    assert all("older than 2.53" in words for words in found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"postgresSslmode": "verify-full"}, "postgresSslmode is verify-full"),
        ({"redisAddress": "cache.example.com:6380"}, "redisAddress has port 6380"),
        ({}, None),
    ],
)
def test_database_whose_tls_cannot_be_checked_is_a_warning(
    values: dict[str, Any], words: str | None, settings: SettingsOf
) -> None:
    found = [*setting_warnings.unverified_databases(settings(**values))]
    assert [words in text for text in found if words] == ([True] if words else [])
    assert len(found) == (1 if words else 0)
