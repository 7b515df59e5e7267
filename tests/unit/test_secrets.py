"""Secrets: none in `docker inspect`, a diff or a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.runtime import rpc

from ops.offline import program
from tests.unit.conftest import SECRETS, trace

every_secret = pytest.mark.parametrize("key", SECRETS)


def _without_the_places_for_secrets(found: Any) -> Any:
    kept = dict(found.inputs)
    if found.type.endswith(":ConfigFiles"):
        kept.pop("secret_files")
    if found.type.endswith(":BucketCheck"):
        kept.pop("access_key")
        kept.pop("secret_key")
    if found.type == "pulumi:providers:grafana":
        kept.pop("auth")
    if found.type.endswith(":DataSource"):
        kept.pop("secureJsonDataEncoded")
    return program.unwrap(kept)


@every_secret
def test_secret_is_only_in_secret_files_and_grafana_logins(key: str, everything_set: Any) -> None:
    leaks = [
        f"{found.type}::{found.name}"
        for found in everything_set.registrations
        if trace(SECRETS[key]) in json.dumps(_without_the_places_for_secrets(found))
    ]
    assert leaks == []


@every_secret
def test_secret_is_written_to_a_file(key: str, everything_set: Any) -> None:
    files = everything_set.inputs("ConfigFiles").values()
    assert any(SECRETS[key] in text for f in files for text in f["secret_files"].values())


def test_secret_files_are_pulumi_secrets(everything_set: Any) -> None:
    clear = [
        name
        for name, found in everything_set.all("ConfigFiles").items()
        if found.inputs["secret_files"] and not rpc.is_rpc_secret(found.inputs["secret_files"])
    ]
    assert clear == []


def test_files_without_secrets_are_not_pulumi_secrets(dev: Any) -> None:
    assert not rpc.is_rpc_secret(dev.one("ConfigFiles", "prometheus-config").inputs["files"])


def test_grafana_provider_login_is_a_pulumi_secret(everything_set: Any) -> None:
    assert rpc.is_rpc_secret(everything_set.one("Provider", "grafana").inputs["auth"])


def test_object_storage_keys_are_pulumi_secrets(everything_set: Any) -> None:
    inputs = everything_set.one("BucketCheck", "bucket-check").inputs
    assert all(rpc.is_rpc_secret(inputs[key]) for key in ("access_key", "secret_key"))


def test_data_source_login_is_a_pulumi_secret(everything_set: Any) -> None:
    source = everything_set.one("DataSource", "prometheus")
    assert rpc.is_rpc_secret(source.inputs["secureJsonDataEncoded"])


def test_environment_names_password_files_only(everything_set: Any) -> None:
    named = {
        entry.partition("=")[0]
        for container in everything_set.containers().values()
        for entry in container.get("envs") or []
        if "PASS" in entry.partition("=")[0]
    }
    assert all(name.endswith("_FILE") for name in named), named


def test_environment_password_files_exist(everything_set: Any) -> None:
    missing = []
    for service, container in everything_set.containers().items():
        for entry in container.get("envs") or []:
            name, _, path = entry.partition("=")
            if name.endswith("_FILE"):
                config = everything_set.config(service)
                there = {f"{config['target']}/{file}" for file in config["secret_files"]}
                missing += [] if path in there else [f"{service}: {path}"]
    assert missing == []


@pytest.mark.parametrize(
    ("service", "uid"),
    [
        ("grafana", 472),
        ("alertmanager", 65534),
        ("postgres-exporter", 65534),
        ("redis-exporter", 59000),
    ],
)
def test_files_belong_to_the_services_user(service: str, uid: int, dev: Any) -> None:
    assert dev.config(service)["uid"] == uid


def test_optional_secret_unset_creates_no_file(
    run_program: Callable[..., Any],
) -> None:
    view = run_program("dev", slackWebhookUrl="", mailPassword="", heartbeatUrl="")
    assert view.config("alertmanager")["secret_files"] == {}


def test_alertmanager_config_with_every_secret_is_not_secret(
    everything_set: Any,
) -> None:
    config = everything_set.config("alertmanager")
    assert [("alertmanager.yml" in config[key]) for key in ("files", "secret_files")] == [
        True,
        False,
    ]


def test_templates_are_not_secret(everything_set: Any) -> None:
    assert "notifications.tmpl" in everything_set.config("alertmanager")["files"]
