"""The settings: in step with `Pulumi.yaml`, and what they make of right values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python

from components.catalog.exporters import EXPORTERS
from components.catalog.services import SERVICES
from components.settings import loader
from components.settings.settings import Settings
from ops.offline.program import SECRETS, StackConfig
from tests.each import for_each
from tests.unit.conftest import trace

ROOT = Path(__file__).resolve().parents[2]
DECLARED: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
REPLACED = {"keep_all_metrics"}
"""Still taken, and no longer described."""
FIELDS = {to_camel(n): f for n, f in Settings.model_fields.items() if n not in {"stack", *REPLACED}}
SECRET_KEYS = {key for key, field in FIELDS.items() if field.annotation is SecretStr}

every_key = for_each("key", FIELDS)


def _pulumi_type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "object"
    if origin is tuple:
        return "array"
    return {bool: "boolean", int: "integer"}.get(annotation, "string")


def _default(key: str) -> Any:
    field = FIELDS[key]
    if key in SECRET_KEYS:
        return field.default.get_secret_value() if not field.is_required() else ""
    if _pulumi_type(field.annotation) == "object":
        return {}
    return to_jsonable_python(field.default)


def test_every_knob_is_described_in_pulumi_yaml_and_no_other() -> None:
    assert set(DECLARED) == set(FIELDS)


@every_key
def test_a_knob_has_the_same_default_in_both_places(key: str) -> None:
    assert DECLARED[key]["default"] == _default(key)


@every_key
def test_a_knob_has_the_same_type_in_both_places(key: str) -> None:
    assert DECLARED[key]["type"] == _pulumi_type(FIELDS[key].annotation)


@every_key
def test_a_knob_is_described_in_a_sentence(key: str) -> None:
    assert DECLARED[key]["description"].rstrip().endswith(".")


@for_each("key", sorted(SECRET_KEYS))
def test_a_secret_is_described_as_one(key: str) -> None:
    assert "Secret" in DECLARED[key]["description"]


@for_each("key", sorted(SECRET_KEYS))
def test_a_secret_is_not_declared_as_one_which_would_make_it_mandatory(key: str) -> None:
    assert "secret" not in DECLARED[key]


def test_the_rendering_knows_every_secret() -> None:
    assert set(SECRETS) == SECRET_KEYS


@pytest.mark.parametrize("item", ["applicationNetworks", "backendTargets", "mailTo"])
def test_a_list_says_what_is_in_it(item: str) -> None:
    members = {m for m in get_args(FIELDS[item].annotation) if m is not Ellipsis}
    assert (DECLARED[item]["items"], len(members)) == ({"type": "string"}, 1)


def test_a_list_of_receivers_has_objects_in_it() -> None:
    assert DECLARED["remoteWrite"]["items"] == {"type": "object"}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_committed_stack_is_right_once_its_secrets_are_set(stack: str) -> None:
    config = StackConfig.of_stack(stack)
    values = {key.removeprefix("vitalstream:"): text for key, text in config.values.items()}
    secrets = [key.removeprefix("vitalstream:") for key in config.secret_keys]
    assert loader.parse(stack, values, secrets).stack == stack


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_committed_stack_file_has_no_secret_and_no_salt(stack: str) -> None:
    committed = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    keys = {key.removeprefix("vitalstream:") for key in committed["config"]}
    assert (set(committed), keys & SECRET_KEYS) == ({"config"}, set())


RIGHT = [
    ("retentionTime", "2h"),
    ("retentionTime", "1y6w"),
    ("retentionSize", "512MB"),
    ("scrapeInterval", "30s"),
    ("evaluationInterval", "1s"),
    ("bindAddress", "0.0.0.0"),
    ("bindAddress", "::1"),
    ("ports", {"grafana": 3100, "prometheus": 65535}),
    ("ports", {"grafana": 9090, "prometheus": 3000}),
    ("publicHost", "monitoring.example.com"),
    ("publicHost", "192.0.2.7"),
    ("publicUrls", {"grafana": "https://grafana.example.com", "prometheus": "http://p:9090"}),
    ("webPassword", "no-tls-and-yet-a-password"),
    ("tlsCertificate", "not looked at without tls"),
    ("dockerHost", "ssh://ops@host.example.com"),
    ("dockerHost", "tcp://192.0.2.7:2376"),
    ("applicationNetworks", ["clinic_default", "db.net"]),
    ("backendTargets", ["backend-1:8000", "192.0.2.7:8000", "[2001:db8::7]:8000"]),
    ("postgresUser", "pg_monitor"),
    ("postgresSslmode", "verify-full"),
    ("redisUser", "watcher"),
    ("grafanaAdminUser", "ops@example.com"),
    ("slackChannels", {"critical": "#on-call"}),
    ("slackChannels", {"critical": "@somebody"}),
    ("mailSmarthost", "smtp.example.com:587"),
    ("mailTo", ["a@example.com", "b.c+d@sub.example.com"]),
    ("mailRequireTls", "false"),
    ("images", {"grafana": "grafana/grafana:12.0.1"}),
    ("images", {"grafana": "mirror.example.com:5000/a/b__c/grafana:12.0.1-ubuntu"}),
    ("images", {"prometheus": "localhost:5000/prometheus:v3@sha256:" + "0" * 64}),
    ("images", {"redis-exporter": "vitalstream-local/redis-exporter:1.45.0"}),
    ("imageRegistryMirror", "mirror.example.com:5000/docker-hub"),
    ("limits", {"grafana": {"memory": "1g", "cpus": 0.5}, "demo-redis": {"cpus": 1}}),
    ("slackWebhookUrl", "https://hooks.example.com/services/T0/B0/x"),
    ("heartbeatUrl", "https://me:pass@beats.example.com:8443/ping/1?a=b%20c&d=~e#f"),
    ("redisPassword", "a-longer-passphrase"),
]


@for_each("key, value", RIGHT)
def test_a_right_value_is_taken(key: str, value: Any, settings: Callable[..., Settings]) -> None:
    assert settings(**{key: value}).stack == "test"


def test_every_service_can_be_given_other_limits(settings: Callable[..., Settings]) -> None:
    limits = {service: {"memory": "99m"} for service in SERVICES}
    changed = settings(limits=limits)
    assert {changed.limit(service).memory for service in SERVICES} == {"99m"}


def test_other_ports_leave_the_rest_as_they_are(settings: Callable[..., Settings]) -> None:
    assert settings(ports={"grafana": 3100}).ports == {
        "prometheus": 9090,
        "grafana": 3100,
        "alertmanager": 9093,
        **{exporter.service: exporter.port for exporter in EXPORTERS},
    }


def test_other_channels_leave_the_rest_as_they_are(settings: Callable[..., Settings]) -> None:
    channels = settings(slackChannels={"critical": "#on-call"}).slack_channels
    assert (channels.critical, channels.warnings) == ("#on-call", "#vitalstream-warnings")


def test_the_settings_do_not_change_under_way(settings: Callable[..., Settings]) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().demo = True  # type: ignore[misc]


def test_settings_that_are_printed_show_no_secret(
    settings: Callable[..., Settings], canaries: dict[str, str]
) -> None:
    printed = repr(settings(**canaries, mailUsername="monitoring"))
    assert [key for key, secret in canaries.items() if trace(secret) in printed] == []


@pytest.mark.parametrize(
    ("overrides", "url"),
    [
        ({}, "http://127.0.0.1:3000"),
        ({"bindAddress": "0.0.0.0"}, "http://127.0.0.1:3000"),
        ({"bindAddress": "::"}, "http://[::1]:3000"),
        ({"publicHost": "mon.example.com"}, "http://mon.example.com:3000"),
        ({"ports": {"grafana": 80}}, "http://127.0.0.1:80"),
        ({"publicUrls": {"grafana": "https://g.example.com"}}, "https://g.example.com"),
        ({"publicUrls": {"prometheus": "https://p.example.com"}}, "http://127.0.0.1:3000"),
    ],
    ids=json.dumps,
)
def test_a_link_leads_where_a_reader_reaches_the_service(
    overrides: dict[str, Any], url: str, settings: Callable[..., Settings]
) -> None:
    assert settings(**overrides).url("grafana") == url
