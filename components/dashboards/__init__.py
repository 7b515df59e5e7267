"""The Grafana dashboards of a stack, as the JSON that Grafana's Import page and API take."""

from collections.abc import Callable, Iterator, Mapping

from components.catalog.monitored import Monitored
from components.dashboards import api, ecg, host, monitoring, overview, postgresql, redis, stacks
from components.dashboards.frame import Sheet, framed
from components.dashboards.settings import DashboardSettings
from components.dashboards.thresholds import AlertBounds

__all__ = ["DashboardSettings", "render_all"]

_OF: Mapping[Callable[[AlertBounds], Sheet], Monitored] = {
    api.sheet: "backend",
    ecg.sheet: "backend",
    postgresql.sheet: "postgresql",
    redis.sheet: "redis",
    host.sheet: "host",
}


def render_all(settings: DashboardSettings) -> dict[str, str]:
    """Every dashboard's JSON by file stem (`overview`, ...); the same text for the same settings.

    What would be empty is left out: the dashboards of what is not watched.
    The alerts' thresholds come from the files in `rules/`. Raises KeyError where a dashboard shows
    the threshold of an alert that is not there, ValueError where an override names none.
    """
    alerts = AlertBounds.from_rules(settings.alert_overrides, severities=settings.alert_severities)
    return {sheet.stem: framed(sheet, settings) for sheet in _sheets(settings, alerts)}


def _sheets(settings: DashboardSettings, alerts: AlertBounds) -> Iterator[Sheet]:
    if settings.watch:
        yield overview.sheet(alerts, settings.watch)
    if settings.federates:
        yield stacks.sheet(alerts)
    for make, watched in _OF.items():
        if watched in settings.watch:
            yield make(alerts)
    yield monitoring.sheet(alerts)
