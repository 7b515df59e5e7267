"""The Grafana dashboards of a stack, as the JSON that Grafana's Import page and API take."""

import importlib
from collections.abc import Iterator

from components.catalog.integrations import INTEGRATIONS
from components.dashboards import monitoring, overview, stacks
from components.dashboards.frame import DashboardSpec, render
from components.dashboards.settings import DashboardSettings
from components.dashboards.thresholds import AlertThresholds
from components.rules.rule_set import RuleSet

__all__ = ["DashboardSettings", "render_all"]


def render_all(settings: DashboardSettings, rules: RuleSet | None = None) -> dict[str, str]:
    """Return every dashboard's JSON by file stem (`overview`, ...).

    The text is the same for the same settings. The dashboards of services that are not monitored
    are left out.
    The alerts' thresholds are those of `rules`, or of `rules/` as shipped. Raises KeyError where a
    dashboard shows the threshold of an alert that is not there.
    """
    alerts = AlertThresholds((rules or RuleSet.shipped()).alerts)
    return {spec.stem: render(spec, settings) for spec in _specs(settings, alerts)}


def _specs(settings: DashboardSettings, alerts: AlertThresholds) -> Iterator[DashboardSpec]:
    if settings.watch:
        yield overview.spec(alerts, settings.watch, settings.names)
    if settings.federates:
        yield stacks.spec(alerts, settings.names)
    for found in INTEGRATIONS:
        for name in found.dashboards if found.kind in settings.watch else ():
            spec: DashboardSpec = importlib.import_module(f"{__name__}.{name}").spec(alerts)
            yield spec
    yield monitoring.spec(alerts)
