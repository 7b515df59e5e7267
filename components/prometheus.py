"""Prometheus: what it scrapes, how long it keeps it, and the container that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import yaml

from components import (
    alert_overrides,
    certificate_rules,
    discovery,
    extra_rules,
    federation,
    own_series,
    remote_write,
    rule_files,
    scrape_limits,
    slo_objective,
    watch,
    web,
)
from components.alert_overrides import AlertOverride
from components.config_files import NoticesItself, ReloadOnChange
from components.container import ContainerSpec, Network, http_probe
from components.exporters import EXPORTERS
from components.grafana_balancer import METRICS_PORT, has_balancer
from components.keep_list import EVERYTHING, KeepList
from components.quantities import duration_seconds
from components.service import Service, ServiceFiles, ServiceSpec
from components.settings import Settings
from components.thanos import members as thanos

PORT = 9090
CONFIG_DIR = "/etc/prometheus"
DATA_DIR = "/prometheus"
# What tells a pair apart; a global view leaves it out (Thanos: --query.replica-label).
REPLICA_LABEL = "replica"
# Prometheus' own default; a scrape cannot take longer than its interval.
SCRAPE_TIMEOUT_SECONDS = 10
# The services of the stack by their jobs.
SERVED_BY = {
    **{job: job for job in ("prometheus", "alertmanager", "grafana")},
    **{exporter.job: exporter.service for exporter in EXPORTERS},
    **{service: service for service in thanos.SERVICES},
}


def scrape_jobs(settings: Settings, name: str = "prometheus") -> dict[str, dict[str, Any]]:
    """Each scrape job and where the Prometheus of that name finds its targets."""
    own = {
        "prometheus": _prometheuses(settings),
        "alertmanager": [f"{name}:9093" for name in settings.replicas("alertmanager")],
        "grafana": [f"{name}:3000" for name in settings.replicas("grafana")],
        **({"grafana-lb": [f"grafana-lb:{METRICS_PORT}"]} if has_balancer(settings) else {}),
        **{
            one.job: [f"{target}:{one.port}" for target in settings.names_of(one)]
            for one in settings.exporters
        },
        **thanos.scrape_jobs(settings),
    }
    jobs: dict[str, dict[str, Any]] = {
        job: {"static_configs": _static_configs(settings, name, targets)}
        for job, targets in own.items()
    }
    if "backend" in settings.watch:
        jobs["backend"] = discovery.scraped(settings, CONFIG_DIR)
    return jobs


def _prometheuses(settings: Settings) -> list[str]:
    """Each looks at itself and at the others, and all of them at the same targets."""
    names = settings.replicas("prometheus")
    return [f"{name}:{PORT}" for name in names] if len(names) > 1 else [f"localhost:{PORT}"]


class _KeepRules(list[dict[str, Any]]):
    """Written out once, and then referred to by its name."""


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, and no aliases but those of `_KeepRules`."""

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


def render_config(settings: Settings, keep: KeepList = EVERYTHING, name: str = "prometheus") -> str:
    """`prometheus.yml` of one of the replicas; what is in no entry of `keep` is dropped when it is
    scraped, but of what is federated.
    """
    timeout = min(SCRAPE_TIMEOUT_SECONDS, duration_seconds(settings.scrape_interval))
    rule = {"action": "keep", "source_labels": ["__name__"], "regex": keep.regex}
    relabelled = {"metric_relabel_configs": _KeepRules([rule])} if keep.regex else {}
    alertmanagers = settings.replicas("alertmanager")
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": settings.scrape_interval,
            "scrape_timeout": f"{round(timeout * 1000)}ms",
            "evaluation_interval": settings.evaluation_interval,
            "external_labels": {"stack": settings.stack, **_replica(settings, name)},
        },
        "rule_files": [f"{CONFIG_DIR}/rules/*.yml"],
        "alerting": {
            **_as_one(settings),
            # Every one of them: a balancer in between would part what they have to compare.
            "alertmanagers": [
                {
                    **_asking(settings, "alertmanager"),
                    "static_configs": [
                        {"targets": [settings.reach(other, from_=name) for other in alertmanagers]}
                    ],
                }
            ],
        },
        "scrape_configs": [
            {
                "job_name": job,
                **_asking(settings, SERVED_BY.get(job)),
                **scrape_limits.of(settings),
                **found,
                **relabelled,
            }
            for job, found in scrape_jobs(settings, name).items()
        ]
        + federation.scrape_configs(settings, CONFIG_DIR, REPLICA_LABEL),
        **remote_write.rendered(settings.remote_write, CONFIG_DIR),
    }
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False)


def out_of_reach(settings: Settings) -> list[str]:
    """Targets by a name that only Docker's networks on another host know, in words."""
    listed = settings.backend_targets if "backend" in settings.watch else ()
    names = [target for target in listed if "." not in target.rpartition(":")[0]]
    return [
        f"{name} on the host {host} asks for {', '.join(names)} (vitalstream:backendTargets), "
        "which no network of Docker's there makes known: give addresses that every host reaches, "
        f"or hosts.{host}.applicationNetworks"
        for name in settings.replicas("prometheus")
        if (host := settings.host_of(name))
        and names
        and not settings.hosts[host].application_networks
    ]


def _static_configs(settings: Settings, name: str, targets: Sequence[str]) -> list[dict[str, Any]]:
    """Every Prometheus gives a series the same `instance`, wherever it asks for it: an alert of a
    pair would else be two.
    """
    asked = {target: _asked(settings, name, target) for target in targets}
    near = [target for target, address in asked.items() if address == target]
    return [
        *([{"targets": near}] if near else []),
        *(
            {"targets": [address], "labels": {"instance": target}}
            for target, address in asked.items()
            if address != target
        ),
    ]


def _asked(settings: Settings, name: str, target: str) -> str:
    service = target.partition(":")[0]
    elsewhere = service in settings.services and settings.host_of(service) != settings.host_of(name)
    return settings.reach(service, from_=name) if elsewhere else target


def _replica(settings: Settings, name: str) -> dict[str, str]:
    return {REPLICA_LABEL: name} if _told_apart(settings) else {}


def _told_apart(settings: Settings) -> bool:
    """With Thanos one alone has the label too: a second that comes later is then another."""
    return settings.thanos.on or len(settings.replicas("prometheus")) > 1


def _as_one(settings: Settings) -> dict[str, Any]:
    """Alerts of a pair are the same alert only without what tells the two apart."""
    if not _told_apart(settings):
        return {}
    return {"alert_relabel_configs": [{"action": "labeldrop", "regex": REPLICA_LABEL}]}


def _asking(settings: Settings, service: str | None) -> dict[str, Any]:
    """How a service of the stack is asked; what is not of the stack is asked in clear text."""
    if not settings.tls or service is None:
        return {}
    password = service in web.WITH_PASSWORD
    return {
        "scheme": "https",
        **web.client_config(settings, CONFIG_DIR, service, password=password),
    }


def render_rules(settings: Settings) -> dict[str, str]:
    """The rule files by name: those of `rules/` with the stack's own values, and its own files.

    A stack that sets none of them gets `rules/` byte for byte, less the files on remote write and
    Thanos, and the alert that asks for a backup where no data is protected.
    """
    rules = rule_files.load(thanos=settings.thanos.on)
    if not settings.remote_write:
        del rules[remote_write.RULE_FILE]
    unasked = {} if settings.protect_data else {"BackupMissing": AlertOverride(enabled=False)}
    overrides = {**unasked, **settings.alerts}
    slo = slo_objective.RULE_FILE
    rules[slo] = slo_objective.applied(rules[slo], settings.slo_objective)
    own = certificate_rules.RULE_FILE
    rules[own] = certificate_rules.applied(rules[own], settings)
    ours = {
        name: alert_overrides.applied(text, overrides)
        for name, text in watch.rules(rules, settings.watch).items()
    }
    if settings.federation:
        ours = {name: own_series.of_rules(text) for name, text in ours.items()}
    return ours | extra_rules.load(settings.extra_rules)


def spec(
    settings: Settings,
    rules: Mapping[str, str],
    keep: KeepList = EVERYTHING,
    name: str = "prometheus",
) -> ServiceSpec:
    """One of the servers with its configuration; `rules` are texts of rule files by file name."""
    return ServiceSpec(
        ContainerSpec(
            service=name,
            command=[
                f"--config.file={CONFIG_DIR}/prometheus.yml",
                f"--storage.tsdb.path={DATA_DIR}",
                f"--storage.tsdb.retention.time={settings.prometheus_retention}",
                f"--storage.tsdb.retention.size={settings.retention_size}",
                *_block_flags(settings),
                # Where the links in alerts lead. The admin and lifecycle APIs stay off: a reload
                # is a signal, so that nobody on the network can stop the server or delete data.
                f"--web.external-url={settings.url(name)}",
                *web.server_flags(settings, CONFIG_DIR),
            ],
            probe=_probe(settings),
            port=PORT,
            stop_seconds=30,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files={
                "prometheus.yml": render_config(settings, keep, name),
                **{f"rules/{name}": text for name, text in rules.items()},
                **federation.files(settings.federation),
                **remote_write.files(settings.remote_write),
                **discovery.load(settings.backend_target_files),
            },
            secret_files={
                **web.server_files(settings, service=name, password=True),
                **web.client_files(settings, CONFIG_DIR, "prometheus"),
                **remote_write.secret_files(settings.remote_write),
                **federation.secret_files(settings.federation),
            },
            checker=("promtool", "check", "config", f"{CONFIG_DIR}/prometheus.yml"),
            on_change=ReloadOnChange(),
            on_change_below={
                path: NoticesItself()
                for path, used in (
                    (web.FOLDER, True),
                    # Named only where they are used: other stacks' inputs stay as they were.
                    (discovery.FOLDER, settings.backend_target_files),
                    (remote_write.FOLDER, settings.remote_write),
                    (federation.FOLDER, settings.federation),
                )
                if used
            },
        ),
        data_dir=DATA_DIR,
    )


def _block_flags(settings: Settings) -> list[str]:
    """With Thanos blocks are left as they are: what the sidecar has uploaded, its compactor merges.

    https://thanos.io/tip/components/sidecar.md/#sidecar
    """
    if not settings.thanos.on:
        return []
    return [f"--storage.tsdb.{bound}-block-duration=2h" for bound in ("min", "max")]


def _probe(settings: Settings) -> str:
    if not settings.tls:
        return http_probe(PORT, "/-/ready")
    config = f"{CONFIG_DIR}/{web.CLIENT}"
    return f"promtool check ready --http.config.file={config} --url=https://localhost:{PORT}"


class Prometheus(Service):
    """One of the servers, its data and its configuration."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        rules: Mapping[str, str],
        keep: KeepList,
        networks: Sequence[Network],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:prometheus:Prometheus",
            settings,
            spec(settings, rules, keep, name),
            networks,
            opts,
            after=after,
        )
