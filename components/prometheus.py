"""Prometheus: what it scrapes, how long it keeps it, and the container that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import yaml

from components import alert_overrides, extra_rules, rule_files, scrape_limits, slo_objective
from components.config_files import ReloadOnChange
from components.container import ContainerSpec, Network, http_probe
from components.exporters import EXPORTERS
from components.quantities import duration_seconds
from components.service import Service, ServiceFiles, ServiceSpec
from components.settings import Settings

PORT = 9090
CONFIG_DIR = "/etc/prometheus"
DATA_DIR = "/prometheus"
# Prometheus' own default; a scrape cannot take longer than its interval.
SCRAPE_TIMEOUT_SECONDS = 10


def scrape_jobs(settings: Settings) -> dict[str, list[str]]:
    """Each scrape job and its targets."""
    return {
        "prometheus": [f"localhost:{PORT}"],
        "alertmanager": ["alertmanager:9093"],
        "grafana": ["grafana:3000"],
        **{exporter.job: [f"{exporter.service}:{exporter.port}"] for exporter in EXPORTERS},
        "backend": list(settings.backend_targets),
    }


def render_config(settings: Settings) -> str:
    """`prometheus.yml`."""
    timeout = min(SCRAPE_TIMEOUT_SECONDS, duration_seconds(settings.scrape_interval))
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": settings.scrape_interval,
            "scrape_timeout": f"{round(timeout * 1000)}ms",
            "evaluation_interval": settings.evaluation_interval,
            "external_labels": {"stack": settings.stack},
        },
        "rule_files": [f"{CONFIG_DIR}/rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {
                "job_name": job,
                **scrape_limits.of(settings),
                "static_configs": [{"targets": targets}],
            }
            for job, targets in scrape_jobs(settings).items()
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def render_rules(settings: Settings) -> dict[str, str]:
    """The rule files by name: those of `rules/` with the stack's own values, and its own files.

    A stack that sets none of them gets `rules/` byte for byte.
    """
    rules = rule_files.load()
    slo = slo_objective.RULE_FILE
    rules[slo] = slo_objective.applied(rules[slo], settings.slo_objective)
    ours = {name: alert_overrides.applied(text, settings.alerts) for name, text in rules.items()}
    return ours | extra_rules.load(settings.extra_rules)


def spec(settings: Settings, rules: Mapping[str, str]) -> ServiceSpec:
    """The server with its configuration; `rules` are texts of rule files by file name."""
    return ServiceSpec(
        ContainerSpec(
            service="prometheus",
            command=[
                f"--config.file={CONFIG_DIR}/prometheus.yml",
                f"--storage.tsdb.path={DATA_DIR}",
                f"--storage.tsdb.retention.time={settings.retention_time}",
                f"--storage.tsdb.retention.size={settings.retention_size}",
                # Where the links in alerts lead. The admin and lifecycle APIs stay off: a reload
                # is a signal, so that nobody on the network can stop the server or delete data.
                f"--web.external-url={settings.url('prometheus')}",
            ],
            probe=http_probe(PORT, "/-/ready"),
            port=PORT,
            stop_seconds=30,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files={
                "prometheus.yml": render_config(settings),
                **{f"rules/{name}": text for name, text in rules.items()},
            },
            checker=("promtool", "check", "config", f"{CONFIG_DIR}/prometheus.yml"),
            on_change=ReloadOnChange(
                metrics=f"http://127.0.0.1:{PORT}/metrics",
                prefix="prometheus_config_last_reload",
            ),
        ),
        data_dir=DATA_DIR,
    )


class Prometheus(Service):
    """The server, its data and its configuration."""

    def __init__(
        self,
        settings: Settings,
        rules: Mapping[str, str],
        networks: Sequence[Network],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:prometheus:Prometheus", settings, spec(settings, rules), networks, opts
        )
