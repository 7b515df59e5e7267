"""VitalStream's monitoring: settings in, a running stack out."""

import signal

import pulumi

from components import (
    alert_overrides,
    discovery,
    own_dashboards,
    reach_settings,
    replica_settings,
    routing,
    settings_loader,
    tls_settings,
    watch,
)
from components.alertmanager import Alertmanager
from components.dashboards import DashboardSettings, render_all
from components.dashboards.frame import STACKS
from components.demo import Demo
from components.exporters import node
from components.exporters.service import ExporterService
from components.grafana import Grafana, GrafanaObjects
from components.grafana_balancer import GrafanaBalancer, has_balancer
from components.hosts import Hosts
from components.keep_list import EVERYTHING, keep_list
from components.preflight import Preflight
from components.prometheus import Prometheus, render_rules
from components.prometheus_config import out_of_reach
from components.quantities import duration_seconds
from components.replicas import in_turn
from components.service import Service
from components.thanos.bucket_check import BucketCheck
from components.thanos.global_view import GlobalView

# The engine interrupts the program once a resource has failed. What failed is the news then, not
# where this program stood.
signal.signal(signal.SIGINT, signal.SIG_DFL)

settings = settings_loader.load(pulumi.get_stack())
for warning in (
    *routing.unreachable(settings),
    *alert_overrides.warnings(settings.alerts),
    *tls_settings.warnings(settings),
    *replica_settings.warnings(settings),
    *discovery.warnings(settings),
    *watch.warnings(settings),
    *reach_settings.warnings(settings),
    *out_of_reach(settings),
):
    pulumi.log.warn(warning)

checks = [Preflight(settings), *([BucketCheck(settings)] if settings.thanos.bucket else [])]
hosts = Hosts(settings, checks)

rules = render_rules(settings)
dashboards = render_all(
    DashboardSettings(
        stack=settings.stack,
        retention_seconds=int(duration_seconds(settings.history)),
        scrape_interval=settings.scrape_interval,
        alert_overrides=alert_overrides.thresholds(settings.alerts),
        alert_severities=alert_overrides.severities(settings.alerts),
        watch=settings.watch,
        federates=bool(settings.federation),
    )
)
own = own_dashboards.load(settings.dashboards_folder)
# That one reads what is federated, and no target of ours exposes it.
read = {stem: text for stem, text in dashboards.items() if stem != STACKS}
keep = keep_list(rules, {**read, **own}, settings.keep_metrics)
if settings.keep_all_metrics:
    keep = EVERYTHING
elif keep.warning:
    pulumi.log.warn(keep.warning)

prometheuses = in_turn(
    settings.replicas("prometheus"),
    lambda name, after: Prometheus(
        settings, name, rules, keep, hosts.networks(name).hub, after, hosts.on(name)
    ),
)
if settings.thanos.on:
    GlobalView(settings, prometheuses, hosts.networks(), hosts.on())
in_turn(
    settings.replicas("alertmanager"),
    lambda name, after: Alertmanager(
        settings, name, hosts.networks(name).of_alertmanager(name), after, hosts.on(name)
    ),
)
own_exporters = map(node.on_host, settings.hosts) if "host" in settings.watch else ()
for exporter in (*settings.exporters, *own_exporters):
    name = exporter.service
    ExporterService(exporter, settings, hosts.networks(name).of_exporter(exporter), hosts.on(name))
if settings.demo:
    Demo(settings, hosts.networks().demo, hosts.on())

grafanas: list[Service] = [
    *in_turn(
        settings.replicas("grafana"),
        lambda name, after: Grafana(
            settings, name, hosts.networks(name).of_grafana, after, hosts.on(name)
        ),
    )
]
if has_balancer(settings):
    grafanas.append(GrafanaBalancer(settings, hosts.networks().of("grafana"), opts=hosts.on()))
GrafanaObjects(settings, grafanas, dashboards, own)

for service in settings.published:
    pulumi.export(service, settings.url(service))
