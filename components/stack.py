"""Builds one stack from its settings: what is made, on which host, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.alertmanager.alertmanager import Alertmanager
from components.dashboards import render_all
from components.dashboards.frame import STACKS
from components.dashboards.settings import DashboardSettings
from components.demo import Demo
from components.docker.hosts import Hosts
from components.docker.rollout import create_sequentially
from components.docker.service import Service
from components.exporters.service import ExporterService
from components.grafana.balancer import GrafanaBalancer
from components.grafana.grafana import Grafana
from components.grafana.objects import GrafanaObjects
from components.preflight.preflight import Preflight
from components.prometheus import unscraped_jobs
from components.prometheus.prometheus import Prometheus
from components.prometheus.rules import stack_rules
from components.promql.metric_allowlist import KEEP_ALL, KeepList, keep_list
from components.rules.rule_set import RuleSet
from components.settings.settings import Settings
from components.user_files import dashboards as user_dashboards


@dataclass(frozen=True)
class _Content:
    """Content of a stack: rules, dashboards by name, and the metrics they read."""

    rules: RuleSet
    dashboards: dict[str, str]
    user_dashboards: dict[str, str]
    keep: KeepList


def deploy(settings: Settings) -> dict[str, str]:
    """Register every resource of the stack; return the URLs of what is published, by service."""
    checks: list[pulumi.Resource] = [Preflight(settings)]
    if settings.thanos.bucket:
        from components.thanos.bucket_check import BucketCheck  # noqa: PLC0415

        checks.append(BucketCheck(settings))
    hosts = Hosts(settings, checks)
    content = _content(settings)
    # The engine creates few resources at once, on small machines eight, in this order: first what
    # takes long to start, or what others wait for.
    if settings.demo:
        Demo(settings, hosts.networks().demo, hosts.on())
    grafanas = _deploy_grafana(settings, hosts)
    _deploy_prometheus(settings, hosts, content)
    create_sequentially(
        settings.replicas("alertmanager"),
        lambda name, after: Alertmanager(
            settings, name, hosts.networks(name).of_alertmanager(name), after, hosts.on(name)
        ),
    )
    _deploy_exporters(settings, hosts)
    GrafanaObjects(settings, grafanas, content.dashboards, content.user_dashboards)
    return {service: settings.url(service) for service in settings.published}


def _content(settings: Settings) -> _Content:
    rules = stack_rules(settings)
    for warning in unscraped_jobs.warnings(settings, rules):
        pulumi.log.warn(warning)
    dashboards = render_all(DashboardSettings.of(settings), rules)
    of_user = user_dashboards.load(
        settings.dashboards_folder, sources=settings.grafana.source_types
    )
    # The dashboard of stacks reads what is federated, and no target of this stack exposes it.
    read = {name: text for name, text in dashboards.items() if name != STACKS}
    keep = KEEP_ALL
    if settings.keep_only_what_is_read:
        keep = keep_list(
            rules.metrics_read,
            {**read, **of_user},
            settings.keep_metrics,
            native_histograms=settings.native_histograms,
        )
        if keep.warning:
            pulumi.log.warn(keep.warning)
    return _Content(rules, dashboards, of_user, keep)


def _deploy_prometheus(settings: Settings, hosts: Hosts, content: _Content) -> None:
    servers = create_sequentially(
        settings.replicas("prometheus"),
        lambda name, after: Prometheus(
            settings, name, content.rules.files, content.keep, hosts.networks(name).hub, after,
            hosts.on(name),
        ),
    )  # fmt: skip
    if settings.thanos.on:
        from components.thanos.global_view import GlobalView  # noqa: PLC0415

        GlobalView(settings, servers, hosts.networks(), hosts.on())


def _deploy_exporters(settings: Settings, hosts: Hosts) -> None:
    for exporter in settings.exporters:
        for name in settings.names_of(exporter):
            networks = hosts.networks(name).of_exporter(exporter)
            part = name.removeprefix(exporter.service).removeprefix("-")
            ExporterService(exporter, settings, networks, hosts.on(name), part=part)


def _deploy_grafana(settings: Settings, hosts: Hosts) -> list[Service]:
    servers: list[Service] = [
        *create_sequentially(
            settings.replicas("grafana"),
            lambda name, after: Grafana(
                settings, name, hosts.networks(name).of_grafana, after, hosts.on(name)
            ),
        )
    ]
    if settings.has_balancer:
        networks = hosts.networks().of("grafana")
        servers.append(GrafanaBalancer(settings, networks, opts=hosts.on()))
    return servers
