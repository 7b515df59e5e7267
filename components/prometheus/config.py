"""Rendering of `prometheus.yml`: scrape jobs, Alertmanagers and remote write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from components.catalog import thanos
from components.catalog.balancer import METRICS_PORT
from components.catalog.exporters import EXPORTERS
from components.catalog.integrations.containers import EXPORTER as CONTAINERS
from components.catalog.integrations.probes import EXPORTER as PROBES
from components.common.quantities import duration_seconds
from components.docker import tls_files
from components.prometheus import (
    backend_groups,
    containers,
    discovery,
    federation,
    probes,
    remote_write,
    scrape_jobs,
)
from components.prometheus.scrape_limits import scrape_limits
from components.promql.metric_allowlist import KEEP_ALL, KeepList
from components.settings.settings import Settings

PORT = 9090
CONFIG_DIR = "/etc/prometheus"
# Label that distinguishes replicas; a global view drops it (Thanos: --query.replica-label).
REPLICA_LABEL = "replica"
# Label of the targets that are Sentinels: rules/redis.yml is not about them.
SENTINEL_LABEL = "sentinel"
# Prometheus' own default; a scrape cannot take longer than its interval.
SCRAPE_TIMEOUT_SECONDS = 10
# The services of the stack by their jobs, those that serve TLS where the stack has it.
SERVED_BY = {
    **{job: job for job in ("prometheus", "alertmanager", "grafana")},
    **{exporter.job: exporter.service for exporter in EXPORTERS if exporter.serves_tls},
    **{service: service for service in thanos.SERVICES},
}


def scrape_timeout(settings: Settings) -> float:
    """Return the seconds after which Prometheus gives a scrape up."""
    return min(SCRAPE_TIMEOUT_SECONDS, duration_seconds(settings.scrape_interval))


def jobs_of_stack(settings: Settings, name: str = "prometheus") -> dict[str, dict[str, Any]]:
    """Return each scrape job and the targets that the Prometheus of that name scrapes."""
    own = {
        "prometheus": _prometheuses(settings),
        "alertmanager": [f"{name}:9093" for name in settings.replicas("alertmanager")],
        "grafana": [f"{name}:3000" for name in settings.replicas("grafana")],
        **({"grafana-lb": [f"grafana-lb:{METRICS_PORT}"]} if settings.has_balancer else {}),
        **{
            one.job: [f"{target}:{one.port}" for target in settings.names_of(one)]
            for one in settings.exporters
        },
        **_thanos_jobs(settings),
    }
    jobs: dict[str, dict[str, Any]] = {
        job: {"static_configs": _static_configs(settings, name, targets)}
        for job, targets in own.items()
    }
    if settings.grafana_path:
        jobs["grafana"]["metrics_path"] = f"{settings.grafana_path}/metrics"
    if "probes" in settings.watch:
        exporter = settings.reach(PROBES.service, from_=name)
        jobs[PROBES.job] = probes.scrape_config(settings.probes, exporter)
    if "containers" in settings.watch:
        jobs[CONTAINERS.job]["metric_relabel_configs"] = containers.relabelling()
    plain = settings.backend_targets or settings.backend_dns or settings.backend_target_files
    if "backend" in settings.watch and (plain or not settings.backend):
        jobs["backend"] = discovery.service_discovery(
            settings.backend_targets,
            settings.backend_dns,
            settings.backend_target_files,
            CONFIG_DIR,
        )
    return jobs


def _thanos_jobs(settings: Settings) -> dict[str, list[str]]:
    """Return a scrape job with its targets for each Thanos component; none without Thanos."""
    if not settings.thanos.on:
        return {}
    jobs = {
        thanos.SIDECAR: [*settings.thanos_sidecars],
        **{name: [name] for name in thanos.SERVICES if name != thanos.SIDECAR},
    }
    return {job: [f"{name}:{thanos.HTTP_PORT}" for name in names] for job, names in jobs.items()}


def _prometheuses(settings: Settings) -> list[str]:
    """Return the names of all replicas: each scrapes itself and the others."""
    names = settings.replicas("prometheus")
    return [f"{name}:{PORT}" for name in names] if len(names) > 1 else [f"localhost:{PORT}"]


class _KeepRules(list[dict[str, Any]]):
    """List that is written once as a YAML anchor and referred to by its name."""


class _Dumper(yaml.SafeDumper):
    """YAML dumper that writes text of several lines as a block, with aliases for `_KeepRules`
    alone.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return not isinstance(data, _KeepRules)

    def generate_anchor(self, node: yaml.Node) -> str:
        return "keep_list"


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)
_Dumper.add_representer(_KeepRules, yaml.SafeDumper.represent_list)


def render_config(settings: Settings, keep: KeepList = KEEP_ALL, name: str = "prometheus") -> str:
    """Return `prometheus.yml` of one of the replicas.

    Metrics that match no entry of `keep` are dropped when scraped, except federated ones.
    """
    timeout = scrape_timeout(settings)
    rule = {"action": "keep", "source_labels": ["__name__"], "regex": keep.regex}
    relabelled = {"metric_relabel_configs": _KeepRules([rule])} if keep.regex else {}
    alertmanagers = settings.replicas("alertmanager")
    limits = {
        **scrape_limits(settings.sample_limit, settings.body_size_limit),
        # With native histograms the classic ones of every target that has both would be left out.
        **({"always_scrape_classic_histograms": True} if settings.native_histograms else {}),
    }
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": settings.scrape_interval,
            "scrape_timeout": f"{round(timeout * 1000)}ms",
            "evaluation_interval": settings.evaluation_interval,
            "external_labels": {"stack": settings.stack, **_replica(settings, name)},
        },
        "rule_files": [f"{CONFIG_DIR}/rules/*.yml"],
        "alerting": {
            **_drop_replica_label(settings),
            # Every Alertmanager: a balancer would split the alerts that they have to deduplicate.
            "alertmanagers": [
                {
                    **_client_config(settings, "alertmanager"),
                    "static_configs": [
                        {"targets": [settings.reach(other, from_=name) for other in alertmanagers]}
                    ],
                }
            ],
        },
        "scrape_configs": [
            {
                "job_name": job,
                **_client_config(settings, SERVED_BY.get(job)),
                **limits,
                **(
                    {"convert_classic_histograms_to_nhcb": True}
                    if settings.native_histograms and job == "backend"
                    else {}
                ),
                **_merged(found, relabelled),
            }
            for job, found in jobs_of_stack(settings, name).items()
        ]
        + [
            {**job, **limits, **relabelled}
            for job in backend_groups.scrape_configs(settings, CONFIG_DIR)
            if "backend" in settings.watch
        ]
        + scrape_jobs.rendered(settings, limits, CONFIG_DIR)
        + federation.scrape_configs(settings.federation, limits, CONFIG_DIR, REPLICA_LABEL),
        **remote_write.rendered(settings, CONFIG_DIR),
    }
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False)


def _merged(found: dict[str, Any], relabelled: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a job, whose own relabelling of metrics comes first."""
    own = found.get("metric_relabel_configs")
    if not own:
        return {**found, **relabelled}
    keep = relabelled.get("metric_relabel_configs", [])
    return {**found, "metric_relabel_configs": [*own, *keep]}


def _static_configs(settings: Settings, name: str, targets: Sequence[str]) -> list[dict[str, Any]]:
    """Return targets whose `instance` is the same in every Prometheus, whatever address it uses.

    The alerts of a pair would otherwise differ.
    """
    asked = {target: _asked(settings, name, target) for target in targets}
    labels = {
        target: {
            **({"instance": target} if address != target else {}),
            **({SENTINEL_LABEL: "true"} if target.partition(":")[0] in settings.sentinels else {}),
        }
        for target, address in asked.items()
    }
    near = [target for target in asked if not labels[target]]
    return [
        *([{"targets": near}] if near else []),
        *(
            {"targets": [asked[target]], "labels": found}
            for target, found in labels.items()
            if found
        ),
    ]


def _asked(settings: Settings, name: str, target: str) -> str:
    service = target.partition(":")[0]
    elsewhere = service in settings.services and settings.host_of(service) != settings.host_of(name)
    return settings.reach(service, from_=name) if elsewhere else target


def _replica(settings: Settings, name: str) -> dict[str, str]:
    return {REPLICA_LABEL: name} if _has_replica_label(settings) else {}


def _has_replica_label(settings: Settings) -> bool:
    """Return whether the external labels contain the replica label.

    With Thanos a single Prometheus has it too, so that a second one added later is distinct.
    """
    return settings.thanos.on or len(settings.replicas("prometheus")) > 1


def _drop_replica_label(settings: Settings) -> dict[str, Any]:
    """Drop the replica label from alerts, so that the alerts of a pair are equal."""
    if not _has_replica_label(settings):
        return {}
    return {"alert_relabel_configs": [{"action": "labeldrop", "regex": REPLICA_LABEL}]}


def _client_config(settings: Settings, service: str | None) -> dict[str, Any]:
    """Return how a service of the stack is requested; other targets are requested in clear text."""
    if not settings.tls or service is None:
        return {}
    password = service in tls_files.WITH_PASSWORD
    [password_file] = tls_files.versioned_password(settings)
    return {
        "scheme": "https",
        **tls_files.client_config(
            settings, CONFIG_DIR, service, password=password, password_file=password_file
        ),
    }
