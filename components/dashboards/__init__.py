"""The Grafana dashboards of a stack, as the JSON that Grafana's Import page and API take."""

import importlib
from collections.abc import Iterator

from components.catalog.integrations import INTEGRATIONS
from components.dashboards import monitoring, overview, stacks
from components.dashboards.frame import Sheet, framed
from components.dashboards.settings import DashboardSettings
from components.dashboards.thresholds import AlertThresholds
from components.rules.rule_set import RuleSet

__all__ = ["DashboardSettings", "render_all"]


def render_all(settings: DashboardSettings, rules: RuleSet | None = None) -> dict[str, str]:
    """Every dashboard's JSON by file stem (`overview`, ...); the same text for the same settings.

    What would be empty is left out: the dashboards of what is not watched.
    The alerts' thresholds are those of `rules`, or of `rules/` as shipped. Raises KeyError where a
    dashboard shows the threshold of an alert that is not there.
    """
    alerts = AlertThresholds((rules or RuleSet.shipped()).alerts)
    return {sheet.stem: framed(sheet, settings) for sheet in _sheets(settings, alerts)}


def _sheets(settings: DashboardSettings, alerts: AlertThresholds) -> Iterator[Sheet]:
    if settings.watch:
        yield overview.sheet(alerts, settings.watch, settings.names)
    if settings.federates:
        yield stacks.sheet(alerts, settings.names)
    for found in INTEGRATIONS:
        for name in found.dashboards if found.kind in settings.watch else ():
            sheet: Sheet = importlib.import_module(f"{__name__}.{name}").sheet(alerts)
            yield sheet
    yield monitoring.sheet(alerts)
