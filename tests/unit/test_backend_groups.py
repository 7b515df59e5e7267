"""Groups of backends: asked in their own way, one job to the rules, refused where wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.prometheus import prometheus
from components.prometheus.rules import stack_rules
from components.settings.settings import Settings
from tests.certificates import authority

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
SECRET = ("backend",)
CA = authority().pem
API = {"targets": ["api:8443"], "scheme": "https", "path": "/internal/metrics"}
WORKER = {"targets": ["worker:9000"], "servesHttp": False}


def _spec(settings: Settings) -> tuple[dict[str, Any], dict[str, str], str]:
    files = prometheus.spec(settings, {}).files
    assert files is not None
    text = files.files["prometheus.yml"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    return jobs, {**files.files, **files.secret_files}, text


def test_group_is_the_job_backend_with_its_name_as_component(settings: SettingsOf) -> None:
    jobs, _, _ = _spec(settings(backend={"api": API, "worker": WORKER}))
    (api,) = jobs["backend-api"]["static_configs"]
    assert api == {"targets": ["api:8443"], "labels": {"job": "backend", "component": "api"}}
    assert (jobs["backend-api"]["metrics_path"], jobs["backend-api"]["scheme"]) == (
        "/internal/metrics",
        "https",
    )
    assert "metrics_path" not in jobs["backend-worker"]
    assert jobs["backend-worker"]["sample_limit"] == jobs["prometheus"]["sample_limit"]
    # Only the default of backendTargets means nothing beside groups.
    assert "backend" not in jobs


def test_group_stands_beside_the_plain_list(settings: SettingsOf) -> None:
    jobs, _, _ = _spec(settings(backend={"api": API}, backendTargets=["old:8000"]))
    assert jobs["backend"]["static_configs"] == [{"targets": ["old:8000"]}]


@pytest.mark.parametrize(
    ("login", "key", "field", "end"),
    [
        ({"bearerToken": KEY}, "authorization", "credentials_file", "token"),
        ({"username": "u", "password": KEY}, "basic_auth", "password_file", "password"),
    ],
)
def test_login_and_authority_are_files(
    login: dict[str, str], key: str, field: str, end: str, settings: SettingsOf
) -> None:
    group = {**API, **login, "ca": CA, "serverName": "api.internal"}
    found = settings(secret_keys=SECRET, backend={"api": group})
    jobs, files, text = _spec(found)
    path = jobs["backend-api"][key][field].removeprefix("/etc/prometheus/")
    # The name changes with the secret, which Prometheus would not notice in the same file.
    assert path.startswith(f"backend/api.{end}-")
    assert jobs["backend-api"]["tls_config"] == {
        "ca_file": "/etc/prometheus/backend/api.ca.pem",
        "server_name": "api.internal",
    }
    assert (files[path], files["backend/api.ca.pem"].strip()) == (KEY, CA.strip())
    assert KEY not in text + repr(found)


def test_request_metrics_are_expected_of_groups_that_serve_http(settings: SettingsOf) -> None:
    rules = stack_rules(settings(backend={"api": API, "worker": WORKER}))
    required = 'label_replace(up{job="backend",component!~"worker"}, "metric", "http_requests'
    assert required in rules.files["blindness.yml"]
    assert 'label_replace(up{job="backend"}' not in rules.files["blindness.yml"]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"api": {"targets": []}}, "backend.api.targets", "at least 1"),
    ({"api": {"targets": ["localhost:8000"]}}, "backend.api.targets.0", "is the asking container"),
    ({"api": API, "b": {"targets": ["api:8443"]}}, "backend.b.targets.0", "would count twice"),
    ({"api": {**API, "ca": CA, "scheme": "http"}}, "backend.api.ca", "is for https"),
    ({"api": {**API, "username": "u"}}, "backend.api.password", "is missing"),
    (
        {"api": {**API, "username": "u", "password": KEY, "bearerToken": KEY}},
        "backend.api.bearerToken",
        "one of them",
    ),
    ({"api": {**API, "path": "metrics"}}, "backend.api.path", "is not a path"),
    ({"A B": API}, "backend.A B", "is not a group's name"),
]


@pytest.mark.parametrize(("groups", "path", "words"), WRONG, ids=[row[1] for row in WRONG])
def test_wrong_group_is_refused_by_its_path_with_a_fix(
    groups: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    message = refused({"backend": groups}, SECRET)
    line = next(x for x in message.splitlines() if x.startswith(f"  vitalstream:{path}"))
    assert words in line
    assert "; fix: " in line
    assert KEY not in message


def test_target_of_a_group_in_the_plain_list_is_refused(refused: Refused) -> None:
    message = refused({"backend": {"api": API}, "backendTargets": ["api:8443"]}, ())
    assert "backendTargets.0" in message
    assert "is a target of backend.api too" in message


def test_token_in_clear_text_is_refused_and_not_shown(refused: Refused) -> None:
    message = refused({"backend": {"api": {**API, "bearerToken": KEY}}}, ())
    assert "--secret --path 'backend.api.bearerToken'" in message
    assert KEY not in message
