"""Federation: a stack that copies the recorded series of others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from components.prometheus import config as prometheus_config
from components.prometheus import prometheus
from components.prometheus.federation import NAMES
from components.rules.rule_set import shipped_files
from components.settings import loader
from components.settings.settings import Settings
from ops.offline import program
from tests.certificates import authority
from tests.unit.conftest import SECRETS, View, stack_config

Refused = Callable[..., str]
CA = authority().pem
PASSWORD = "canary-of-a-source-5c1d"
PROD = {
    "stack": "prod",
    "target": "mon.example.com:9090",
    "scheme": "https",
    "ca": CA,
    "serverName": "mon.example.com",
    "username": "vitalstream",
    "password": PASSWORD,
}
CLINIC = {"stack": "clinic", "target": "192.0.2.7:9090"}


@pytest.fixture(scope="module")
def both() -> Settings:
    """Return the settings of a stack that only federates two sources."""
    values = {
        "federation": json.dumps([PROD, CLINIC]),
        "watch": "[]",
        "grafanaAdminPassword": SECRETS["grafanaAdminPassword"],
    }
    return loader.parse("global", values, ["federation", "grafanaAdminPassword"])


def _jobs(settings: Any) -> dict[str, dict[str, Any]]:
    jobs = yaml.safe_load(prometheus_config.render_config(settings))["scrape_configs"]
    return {job["job_name"]: job for job in jobs}


def _refused(refused: Refused, **changed: Any) -> str:
    """Return the error message of a source whose password is encrypted."""
    return refused({"federation": [{**PROD, **changed}]}, secret_keys=["federation"])


def test_federation_match_covers_recorded_names() -> None:
    recorded = [
        rule["record"]
        for text in shipped_files().values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    ]
    assert recorded
    assert [name for name in recorded if not re.fullmatch(NAMES, name)] == []


@pytest.mark.parametrize(
    "name", ["up", "ALERTS", "ALERTS_FOR_STATE", "http_requests_total", "job:x", "A:b:c", "a:b:c:d"]
)
def test_federation_match_excludes_other_names(name: str) -> None:
    assert re.fullmatch(NAMES, name) is None


@pytest.mark.parametrize("stack", ["prod", "clinic"])
def test_federation_job_keeps_only_recorded_series(stack: str, both: Any) -> None:
    job = _jobs(both)[f"federate-{stack}"]
    (matched,) = job["params"]["match[]"]
    kept = job["metric_relabel_configs"][0]
    assert (job["metrics_path"], matched, kept["regex"]) == (
        "/federate",
        f'{{__name__=~"{NAMES}"}}',
        NAMES,
    )


@pytest.mark.parametrize("stack", ["prod", "clinic"])
def test_federation_job_honors_the_sources_labels(stack: str, both: Any) -> None:
    assert _jobs(both)[f"federate-{stack}"]["honor_labels"] is True


@pytest.mark.parametrize("stack", ["prod", "clinic"])
def test_federation_job_drops_the_replica_label(stack: str, both: Settings) -> None:
    dropped = _jobs(both)[f"federate-{stack}"]["metric_relabel_configs"][1]
    assert dropped == {"action": "labeldrop", "regex": prometheus_config.REPLICA_LABEL}


@pytest.mark.parametrize("stack", ["prod", "clinic"])
def test_federation_source_is_a_job_with_its_stack_label(stack: str, both: Any) -> None:
    (static,) = _jobs(both)[f"federate-{stack}"]["static_configs"]
    assert static["labels"] == {"job": "federate", "stack": stack}


@pytest.mark.parametrize("limit", ["sample_limit", "body_size_limit", "label_limit"])
def test_federation_job_has_sample_limits(limit: str, both: Any) -> None:
    assert all(limit in _jobs(both)[f"federate-{stack}"] for stack in ("prod", "clinic"))


def test_federation_source_with_tls_uses_password_and_ca(both: Any) -> None:
    job = _jobs(both)["federate-prod"]
    assert {key: job[key] for key in ("scheme", "tls_config", "basic_auth")} == {
        "scheme": "https",
        "tls_config": {
            "ca_file": "/etc/prometheus/federation/prod.ca.pem",
            "server_name": "mon.example.com",
        },
        "basic_auth": {
            "username": "vitalstream",
            "password_file": "/etc/prometheus/federation/prod.password",
        },
    }


def test_federation_password_is_a_secret_file_and_ca_a_plain_one(both: Any) -> None:
    files = prometheus.spec(both, {}).files
    assert files is not None
    assert (
        files.secret_files["federation/prod.password"],
        files.files["federation/prod.ca.pem"],
    ) == (PASSWORD, CA)


def test_federation_password_is_in_no_readable_input() -> None:
    config = stack_config("dev", {"federation": [PROD], "demo": False, "watch": []})
    config = replace(config, secret_keys=(*config.secret_keys, "vitalstream:federation"))
    view = View("dev", tuple(program.run("dev", config)))
    shown = [
        json.dumps(found.inputs)
        for found in view.registrations
        if not found.type.endswith(":ConfigFiles")
    ]
    files = view.config("prometheus")["files"]
    assert [text for text in [*shown, *files.values()] if PASSWORD in text] == []


def test_stack_without_federation_has_no_federation_job(dev: Any) -> None:
    config = dev.config("prometheus")
    assert "federate" not in config["files"]["prometheus.yml"]
    assert "federation" not in config["on_change_below"]


@pytest.mark.parametrize(
    ("changed", "path", "words"),
    [
        ({"username": ""}, "password", "is set without username"),
        ({"scheme": "http", "ca": "", "serverName": ""}, "password", "in clear text: it needs"),
        ({"scheme": "http"}, "ca", "it is for https"),
        ({"password": "two\nlines"}, "password", "has a line break"),
        ({"password": ""}, "password", "is missing: username is set"),
    ],
)
def test_invalid_source_is_reported_by_path(
    changed: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    lines = _refused(refused, **changed).splitlines()
    named = next(line for line in lines if f"federation.0.{path} " in line)
    assert words in named


def test_invalid_source_message_masks_the_password(refused: Refused) -> None:
    assert PASSWORD not in _refused(refused, username="")
