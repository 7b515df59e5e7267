"""Containers: cAdvisor's container, its job, and where it may not be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.exporters import container
from components.prometheus.config import render_config
from components.prometheus.containers import relabelling
from components.promql.metric_allowlist import KeepList
from components.settings.settings import Settings

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
WATCH = ["backend", "containers"]
ID = "4f2a90c1d3e5" + "0" * 52
AWAY = {"hosts": {"b": {"docker": "ssh://b", "address": "10.0.0.2"}}, "hostAddress": "10.0.0.1"}


def _job(settings: Settings, **options: Any) -> dict[str, Any]:
    jobs = yaml.safe_load(render_config(settings, **options))["scrape_configs"]
    found: dict[str, Any] = next(job for job in jobs if job["job_name"] == "container")
    return found


def _relabelled(labels: dict[str, str]) -> dict[str, str] | None:
    """Relabel as Prometheus does."""
    for rule in relabelling():
        pattern = re.compile(rule["regex"])
        text = ";".join(labels.get(name, "") for name in rule.get("source_labels", ()))
        match rule.get("action", "replace"):
            case "replace":
                if found := pattern.fullmatch(text):
                    labels = {**labels, rule["target_label"]: found[1]}
            case "drop":
                if pattern.fullmatch(text):
                    return None
            case "labeldrop":
                labels = {name: text for name, text in labels.items() if not pattern.match(name)}
    return labels


@pytest.mark.parametrize("path", [f"/docker/{ID}", f"/system.slice/docker-{ID}.scope"])
def test_label_of_a_container_is_its_short_id(path: str) -> None:
    assert _relabelled({"id": path, "cpu": "total"}) == {"container": ID[:12], "cpu": "total"}


@pytest.mark.parametrize(
    "path", ["/", "/docker", f"/docker/{ID}/init.scope", "/system.slice/docker.service"]
)
def test_group_that_is_no_container_is_dropped(path: str) -> None:
    assert _relabelled({"id": path}) is None


def test_metric_without_a_group_is_kept() -> None:
    assert _relabelled({"version": "go1.26"}) == {"version": "go1.26"}


def test_allow_list_comes_after_the_labels(settings: SettingsOf) -> None:
    keep = KeepList("container_cpu_.*", None)
    found = _job(settings(watch=WATCH), keep=keep)["metric_relabel_configs"]
    assert found == [
        *relabelling(),
        {"action": "keep", "source_labels": ["__name__"], "regex": keep.regex},
    ]
    assert _job(settings(watch=WATCH))["metric_relabel_configs"] == relabelling()


def test_container_has_neither_the_socket_nor_a_folder_of_docker(settings: SettingsOf) -> None:
    spec = container.spec(settings(watch=WATCH)).container
    assert [(mount.source, mount.target, mount.read_only) for mount in spec.mounts] == [
        ("/sys/fs/cgroup", "/sys/fs/cgroup", True)
    ]
    assert (spec.added_capabilities, spec.readable_devices) == (("CAP_SYSLOG",), ("/dev/kmsg",))
    assert (spec.pid_mode, spec.uid) == (None, 0)


def test_exporter_is_asked_in_clear_text_and_not_published_with_tls(
    run_program: Callable[..., Any], settings: SettingsOf
) -> None:
    assert "cadvisor" in settings(watch=WATCH, publishExporters="true").published
    view = run_program("prod", watch=WATCH, publishExporters="true")
    containers = view.containers()
    assert not containers["cadvisor"].get("ports")
    assert view.config("prometheus")["secret_files"]["tls/ca.pem"]
    text = view.config("prometheus")["files"]["prometheus.yml"]
    job = next(j for j in yaml.safe_load(text)["scrape_configs"] if j["job_name"] == "container")
    assert "scheme" not in job
    assert job["static_configs"] == [{"targets": ["cadvisor:8080"]}]


def test_container_of_the_program_is_what_was_decided(run_program: Callable[..., Any]) -> None:
    found = run_program("dev", watch=WATCH, demo="false").containers()["cadvisor"]
    assert found["capabilities"] == {"drops": ["ALL"], "adds": ["CAP_SYSLOG"]}
    assert found["devices"] == [
        {"hostPath": "/dev/kmsg", "containerPath": "/dev/kmsg", "permissions": "r"}
    ]
    assert (found["user"], found["readOnly"]) == ("0:0", True)
    assert not found.get("privileged")
    assert not found.get("pidMode")


def test_placement_of_the_exporter_is_refused(refused: Refused) -> None:
    message = refused({"watch": WATCH, **AWAY, "placement": {"cadvisor": "b"}})
    assert "placement.cadvisor" in message
    assert "looks at dockerHost, and serves no TLS" in message


def test_prometheus_on_another_host_is_refused_with_tls_alone(
    refused: Refused, settings: SettingsOf
) -> None:
    elsewhere = {"watch": WATCH, **AWAY, "placement": {"prometheus": "b"}}
    assert settings(**elsewhere).reached_across_hosts("cadvisor")
    message = refused({**elsewhere, "tls": "true"})
    assert 'watch.1 = "containers" is asked in clear text: cadvisor serves no TLS' in message
    assert "pulumi config rm --path 'watch[1]'" in message
