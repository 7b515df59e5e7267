"""Scrape jobs of the user's own: rendered, watched by alerts, and refused where they are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus import prometheus
from components.prometheus.rules import stack_rules
from components.settings.settings import Settings
from components.user_files.paths import PROJECT_DIR

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
SECRET = ("scrapeJobs",)
TARGETS = {"static_configs": [{"targets": ["nginx-exporter:9113"]}]}
NGINX = {"job_name": "nginx", **TARGETS}
RULES = """
groups:
  - name: own
    rules:
      - alert: NginxDown
        expr: nginx_up{job="nginx"} == 0
        for: 1m
        labels: {severity: critical, service: web}
      - alert: QueueLong
        expr: rabbitmq_queue_messages > 100 and http_requests_total{job="backend"}
        for: 1m
        labels: {severity: warning, service: web}
"""


def _files(settings: Settings) -> tuple[dict[str, Any], dict[str, str], str]:
    files = prometheus.spec(settings, {}).files
    assert files is not None
    text = files.files["prometheus.yml"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    return jobs, dict(files.secret_files), text


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({"basic_auth": {"username": "u", "password": KEY}}, "basic_auth.password"),
        ({"authorization": {"credentials": KEY}}, "authorization.credentials"),
        ({"bearer_token": KEY}, "bearer_token"),
        ({"oauth2": {"client_id": "i", "client_secret": KEY}}, "oauth2.client_secret"),
        ({"tls_config": {"cert": "c", "key": KEY}}, "tls_config.key"),
        (
            {"http_sd_configs": [{"url": "http://sd", "basic_auth": {"password": KEY}}]},
            "http_sd_configs.0.basic_auth.password",
        ),
    ],
)
def test_secret_at_any_path_becomes_a_file(
    job: dict[str, Any], field: str, settings: SettingsOf
) -> None:
    found = settings(secret_keys=SECRET, scrapeJobs=[{**NGINX, **job}])
    _, secrets, text = _files(found)
    (name,) = [path for path in secrets if path.startswith(f"scrape-jobs/nginx.{field}-")]
    assert secrets[name] == KEY
    assert f"{field.rpartition('.')[2]}_file: /etc/prometheus/{name}" in text
    assert KEY not in text + repr(found)


def test_new_secret_has_a_file_of_another_name(settings: SettingsOf) -> None:
    """Prometheus 3.5 goes on with what a file had before."""
    names = [
        next(name for name in _files(found)[1] if name.startswith("scrape-jobs/"))
        for password in (KEY, f"{KEY}2")
        for found in [
            settings(
                secret_keys=SECRET, scrapeJobs=[{**NGINX, "basic_auth": {"password": password}}]
            )
        ]
    ]
    assert names[0] != names[1]


def test_job_keeps_its_own_schema_and_all_its_metrics(settings: SettingsOf) -> None:
    own = {"metrics_path": "/nginx", "honor_timestamps": True, "scheme": "https"}
    jobs, _, _ = _files(settings(scrapeJobs=[{**NGINX, **own}]))
    assert {key: jobs["nginx"][key] for key in own} == own
    assert jobs["nginx"]["sample_limit"] == jobs["backend"]["sample_limit"]
    assert "metric_relabel_configs" not in jobs["nginx"]


def test_alerts_know_the_jobs_and_the_metrics_that_own_rules_read(
    settings: SettingsOf, tmp_path: Path
) -> None:
    (tmp_path / "own.yml").write_text(RULES)
    jobs = [NGINX, {"job_name": "rabbit/mq", **TARGETS}]
    rules = stack_rules(
        settings(scrapeJobs=jobs, extraRules=[os.path.relpath(tmp_path / "own.yml", PROJECT_DIR)])
    )
    recorded = {
        rule["record"]: rule["expr"]
        for rule in yaml.safe_load(rules.files["scrape_jobs.yml"])["groups"][0]["rules"]
        if "record" in rule
    }
    targets = recorded["job:scrape_targets:count"]
    assert 'count(up{job="nginx"})' in targets
    assert 'count(up{job="rabbit/mq"})' in targets
    present = recorded["instance_metric:scrape_job_metrics_present:bool"]
    assert 'nginx_up{job="nginx"}' in present
    # A selector without a job may mean any of them; one of another job means none.
    assert 'rabbitmq_queue_messages{job="nginx"}' in present
    assert 'rabbitmq_queue_messages{job="rabbit/mq"}' in present
    assert "http_requests_total" not in present
    assert 'nginx_up{job="rabbit/mq"}' not in present


def test_stack_without_jobs_has_none_of_their_rules(settings: SettingsOf) -> None:
    assert "scrape_jobs.yml" not in stack_rules(settings()).files


WRONG: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{**NGINX, "job_name": "postgres"}], "0.job_name", "is taken by a job of this program"),
    ([{**NGINX, "job_name": "federate-x"}], "0.job_name", "is taken by a job of this program"),
    ([NGINX, NGINX], "1.job_name", "is taken by a job of another entry"),
    ([TARGETS], "0.job_name", "is not a job's name"),
    ([{"job_name": "nginx"}], "0", "has no targets"),
    ([{**NGINX, "scrape_interval": "10m"}], "0.scrape_interval", "is longer than 2m"),
    (
        [{**NGINX, "basic_auth": {"password_file": "/run/pw"}}],
        "0.basic_auth.password_file",
        "names a file that is not in the container",
    ),
    (
        [{"job_name": "n", "file_sd_configs": [{"files": ["a.yml"]}]}],
        "0.file_sd_configs.0.files.0",
        "names files that are not in the container",
    ),
    ([{**NGINX, "params": {"token": [KEY]}}], "0.params.token.0", "cannot be kept secret"),
    (
        [{"job_name": "n", "ec2_sd_configs": [{"secret_key": KEY}]}],
        "0.ec2_sd_configs.0.secret_key",
        "cannot be kept secret",
    ),
    (
        [{"job_name": "n", "http_sd_configs": [{"url": f"https://u:{KEY}@h/sd"}]}],
        "0.http_sd_configs.0.url",
        "has a login in it",
    ),
    (
        [{"job_name": "n", "static_configs": [{"targets": ["localhost:9113"]}]}],
        "0.static_configs.0.targets.0",
        "is the asking container itself",
    ),
    (
        [{"job_name": "n", "static_configs": [{"targets": ["a:1"], "labels": {"job": "b"}}]}],
        "0.static_configs.0.labels.job",
        "sets the label job",
    ),
    (
        [{**NGINX, "relabel_configs": [{"target_label": "job", "replacement": "backend"}]}],
        "0.relabel_configs.0.target_label",
        "is a label by which alerts know",
    ),
]


@pytest.mark.parametrize(("jobs", "path", "words"), WRONG, ids=[f"{r[1]}-{r[2]}" for r in WRONG])
def test_wrong_job_is_refused_by_its_path_with_a_fix(
    jobs: list[dict[str, Any]], path: str, words: str, refused: Refused
) -> None:
    message = refused({"scrapeJobs": jobs}, SECRET)
    line = next(x for x in message.splitlines() if x.startswith(f"  vitalstream:scrapeJobs.{path}"))
    assert words in line
    assert "; fix: " in line
    assert KEY not in message


@pytest.mark.parametrize(
    "job",
    [
        {"basic_auth": {"username": "u", "password": KEY}},
        {"tls_config": {"key": f"-----BEGIN PRIVATE KEY-----\n{KEY}"}},
        {"authorization": {"credentials": KEY}},
    ],
)
def test_secret_in_clear_text_is_refused_and_not_shown(
    job: dict[str, Any], refused: Refused
) -> None:
    message = refused({"scrapeJobs": [{**NGINX, **job}]}, ())
    assert "is a secret: set it with --secret; fix: pulumi config set --secret --path" in message
    assert KEY not in message


def test_labels_are_no_secrets(settings: SettingsOf) -> None:
    labels = {"token": "blue", "team": "web"}
    job = {"job_name": "n", "static_configs": [{"targets": ["a:1"], "labels": labels}]}
    jobs, secrets, _ = _files(settings(scrapeJobs=[job]))
    assert jobs["n"]["static_configs"] == job["static_configs"]
    assert not any(name.startswith("scrape-jobs/") for name in secrets)
