"""Rendering of `remoteWrite`: Prometheus' configuration, and secrets only as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pulumi.runtime import rpc

from components.prometheus import prometheus, remote_write
from components.settings.settings import Settings
from ops.offline import program, render
from ops.offline.program import StackConfig
from ops.review.policy import check
from tests.certificates import authority
from tests.unit.conftest import View, stack_config

CA = authority().pem
PASSWORD, TOKEN = "canary-of-remote-password", "canary-of-remote-token"
RECEIVERS = [
    {
        "name": "mimir",
        "url": "https://mimir.example.com/api/v1/push",
        "username": "vitalstream",
        "password": PASSWORD,
        "tenant": "clinic",
        "ca": CA,
        "serverName": "mimir.internal",
        "keep": ["up", "job:.+"],
        "drop": ["go_gc_duration_seconds"],
        "writeRelabel": [{"action": "labeldrop", "regex": "pod"}],
        "queue": {"maxShards": 4},
    },
    {
        "name": "thanos",
        "url": "https://thanos.example.com/api/v1/receive",
        "bearerToken": TOKEN,
        "headers": {"THANOS-TENANT": "clinic"},
    },
    {"name": "plain", "url": "http://receiver:9090/api/v1/write"},
]
TRANSLATED = [
    {
        "name": "mimir",
        "url": "https://mimir.example.com/api/v1/push",
        "basic_auth": {"username": "vitalstream", "password": PASSWORD},
        "headers": {"X-Scope-OrgID": "clinic"},
        "tls_config": {"ca": CA, "server_name": "mimir.internal"},
        "write_relabel_configs": [
            {
                "action": "keep",
                "source_labels": ["__name__"],
                "regex": "up(_bucket|_count|_sum)?|(?:job:.+)",
            },
            {
                "action": "drop",
                "source_labels": ["__name__"],
                "regex": "go_gc_duration_seconds(_bucket|_count|_sum)?",
            },
            {"action": "labeldrop", "regex": "pod"},
        ],
        "queue_config": {"max_shards": 4},
    },
    {
        "name": "thanos",
        "url": "https://thanos.example.com/api/v1/receive",
        "authorization": {"type": "Bearer", "credentials": TOKEN},
        "headers": {"THANOS-TENANT": "clinic"},
    },
    {"name": "plain", "url": "http://receiver:9090/api/v1/write"},
]
"""`RECEIVERS` with Prometheus' own keys."""
FILES = "/etc/prometheus/remote-write"
QUEUE = {
    "capacity": 10000,
    "max_shards": 50,
    "min_shards": 1,
    "max_samples_per_send": 2000,
    "batch_send_deadline": "5s",
    "min_backoff": "30ms",
    "max_backoff": "5s",
    "retry_on_http_429": True,
}


def _config() -> StackConfig:
    made = stack_config("prod", {"remoteWrite": RECEIVERS, "keepOnlyWhatIsRead": True})
    return StackConfig(made.values, (*made.secret_keys, "vitalstream:remoteWrite"))


@pytest.fixture(scope="module")
def view() -> View:
    return View("prod", tuple(program.run("prod", _config())))


@pytest.fixture(scope="module")
def sections(view: View) -> dict[str, Any]:
    config = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    return {section["name"]: section for section in config["remote_write"]}


def test_receiver_with_all_fields_is_rendered(sections: dict[str, Any]) -> None:
    assert sections["mimir"] == {
        "name": "mimir",
        "url": "https://mimir.example.com/api/v1/push",
        "headers": {"X-Scope-OrgID": "clinic"},
        "basic_auth": {"username": "vitalstream", "password_file": f"{FILES}/mimir/password"},
        "tls_config": {"ca_file": f"{FILES}/mimir/ca.pem", "server_name": "mimir.internal"},
        "write_relabel_configs": [
            {
                "action": "keep",
                "source_labels": ["__name__"],
                "regex": "up(_bucket|_count|_sum)?|(?:job:.+)",
            },
            {
                "action": "drop",
                "source_labels": ["__name__"],
                "regex": "go_gc_duration_seconds(_bucket|_count|_sum)?",
            },
            {"action": "labeldrop", "regex": "pod"},
        ],
        "queue_config": QUEUE | {"max_shards": 4},
    }


def test_receivers_with_prometheus_keys_are_the_same(settings: Callable[..., Settings]) -> None:
    older, translated = (
        prometheus.spec(settings(secret_keys=["remoteWrite"], remoteWrite=receivers), {}).files
        for receivers in (RECEIVERS, TRANSLATED)
    )
    assert translated == older


def test_receiver_keeps_what_only_prometheus_knows(settings: Callable[..., Settings]) -> None:
    own = {"send_exemplars": True, "sigv4": {"region": "eu-central-1"}, "round_robin_dns": True}
    receiver = {"name": "amp", "url": "https://amp.example.com/write", **own}
    (section,) = remote_write.rendered(settings(remoteWrite=[receiver]), "")["remote_write"]
    assert section == receiver | {"queue_config": QUEUE}


@pytest.mark.parametrize(
    "login",
    [
        {"oauth2": {"client_id": "a", "client_secret": TOKEN, "token_url": "https://a.test"}},
        {"tls_config": {"cert": "a", "key": TOKEN}},
        {"google_iam": {"credentials": TOKEN}},
    ],
    ids=lambda login: next(iter(login)),
)
def test_receiver_secret_of_any_login_is_a_file_named_by_it(
    login: dict[str, Any], settings: Callable[..., Settings]
) -> None:
    receiver = {"name": "mimir", "url": "https://mimir.example.com/api/v1/push", **login}
    found = settings(secret_keys=["remoteWrite"], remoteWrite=[receiver])
    ((path, secret),) = remote_write.secret_files(found).items()
    (section,) = remote_write.rendered(found, "/etc")["remote_write"]
    kind = next(iter(login))
    [field] = [key for key in section[kind] if key.endswith("_file")]
    assert (section[kind][field], secret) == (f"/etc/{path}", TOKEN)
    assert path.startswith(f"remote-write/mimir/{kind}.{field.removesuffix('_file')}-")
    assert TOKEN not in repr(found) + repr(section)


def test_receiver_token_is_a_file(sections: dict[str, Any]) -> None:
    assert sections["thanos"]["authorization"] == {
        "type": "Bearer",
        "credentials_file": f"{FILES}/thanos/bearer_token",
    }


def test_receiver_with_defaults_has_only_its_queue(sections: dict[str, Any]) -> None:
    url = "http://receiver:9090/api/v1/write"
    assert sections["plain"] == {"name": "plain", "url": url, "queue_config": QUEUE}


def test_receiver_samples_have_the_stack_label(view: View) -> None:
    config = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    assert config["global"]["external_labels"] == {"stack": "prod"}


def test_receiver_secrets_are_the_only_secret_files(view: View) -> None:
    config = view.config("prometheus")
    ours = {p: text for p, text in config["secret_files"].items() if p.startswith("remote-write/")}
    assert ours == {
        "remote-write/mimir/password": PASSWORD,
        "remote-write/thanos/bearer_token": TOKEN,
    }
    assert config["files"]["remote-write/mimir/ca.pem"] == CA


def test_receiver_secret_files_are_pulumi_secrets(view: View) -> None:
    assert rpc.is_rpc_secret(view.one("ConfigFiles", "prometheus-config").inputs["secret_files"])


@pytest.mark.parametrize("secret", [PASSWORD, TOKEN])
def test_receiver_secret_is_in_no_other_input(secret: str, view: View) -> None:
    leaks = []
    for found in view.registrations:
        inputs = {**found.inputs}
        inputs.pop("secret_files", None)
        if secret in json.dumps(program.unwrap(inputs)):
            leaks.append(f"{found.type}::{found.name}")
    assert leaks == []


def test_receiver_secret_change_needs_no_reload_and_config_change_does(view: View) -> None:
    config = view.config("prometheus")
    assert (config["on_change_below"]["remote-write"], config["on_change"]) == (
        {},
        {"reload": True},
    )


def test_rendered_stack_contains_no_receiver_secret() -> None:
    texts = render.render("prod", _config())
    assert [path for path, text in texts.items() if PASSWORD in text or TOKEN in text] == []


def test_stack_with_receiver_violates_no_policy() -> None:
    assert check("prod", _config()) == []


def test_policies_know_secrets_in_lists() -> None:
    assert {PASSWORD, TOKEN} <= set(_config().secrets.values())


def test_rules_are_loaded_only_with_a_receiver(view: View, prod: View) -> None:
    there = ["rules/remote_write.yml" in v.config("prometheus")["files"] for v in (prod, view)]
    assert there == [False, True]


def test_allowlist_has_the_metrics_of_the_rules(view: View) -> None:
    config = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    kept = config["scrape_configs"][0]["metric_relabel_configs"][0]["regex"]
    assert "prometheus_remote_storage_samples_failed_total" in kept


def test_stack_without_receiver_has_no_remote_write(prod: View) -> None:
    config = prod.config("prometheus")
    # Asks for metrics of every kind, for those of remote write too.
    asked = config["files"].pop("rules/blindness.yml")
    assert "remote" in asked
    kept = [line for line in json.dumps(config).split("\\n") if "{0}|" not in line]
    assert "remote" not in "".join(kept)


def test_receiver_added_changes_only_files(view: View, prod: View) -> None:
    changed = {
        (kind, name)
        for kind in ("Container", "Volume", "Network", "RemoteImage", "ConfigFiles", "Dashboard")
        for name, inputs in view.inputs(kind).items()
        if inputs != prod.inputs(kind).get(name)
    }
    assert changed == {("ConfigFiles", "prometheus-config")}


@pytest.mark.parametrize("alert", ["PrometheusRemoteWriteFailing", "PrometheusRemoteWriteBehind"])
def test_remote_write_alerts_can_be_overridden(
    alert: str, run_program: Callable[..., View]
) -> None:
    receiver = {"name": "plain", "url": "http://receiver:9090/api/v1/write"}
    own = {alert: {"threshold": 77}}
    files = run_program("dev", remoteWrite=[receiver], alerts=own).config("prometheus")["files"]
    assert "> 77" in files["rules/remote_write.yml"]


def test_replicas_send_with_their_label_and_password() -> None:
    made = stack_config("dev", {"remoteWrite": RECEIVERS, "prometheus": {"replicas": 2}})
    config = StackConfig(made.values, (*made.secret_keys, "vitalstream:remoteWrite"))
    view = View("dev", tuple(program.run("dev", config)))
    for service in ("prometheus", "prometheus-2"):
        files = view.config(service)
        text = yaml.safe_load(files["files"]["prometheus.yml"])
        assert len(text["remote_write"]) == len(RECEIVERS)
        assert text["global"]["external_labels"] == {"stack": "dev", "replica": service}
        assert files["secret_files"]["remote-write/mimir/password"] == PASSWORD
