"""The Grafana dashboards of a stack, as the JSON that Grafana's Import page and API take."""

from collections.abc import Callable, Iterator, Mapping

from components.catalog.monitored import Monitored
from components.dashboards import api, ecg, host, monitoring, overview, postgresql, redis, stacks
from components.dashboards.frame import Sheet, framed
from components.dashboards.settings import DashboardSettings
from components.dashboards.thresholds import AlertThresholds
from components.rules.rule_set import RuleSet

__all__ = ["DashboardSettings", "render_all"]

_OF: Mapping[Callable[[AlertThresholds], Sheet], Monitored] = {
    api.sheet: "backend",
    ecg.sheet: "backend",
    postgresql.sheet: "postgresql",
    redis.sheet: "redis",
    host.sheet: "host",
}


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
        yield overview.sheet(alerts, settings.watch)
    if settings.federates:
        yield stacks.sheet(alerts)
    for make, watched in _OF.items():
        if watched in settings.watch:
            yield make(alerts)
    yield monitoring.sheet(alerts)
