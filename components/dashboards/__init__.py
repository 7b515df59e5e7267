"""The Grafana dashboards of a stack, as the JSON that Grafana's Import page and API take."""

from components.dashboards import api, ecg, host, monitoring, overview, postgresql, redis
from components.dashboards.frame import framed
from components.dashboards.settings import DashboardSettings
from components.dashboards.thresholds import AlertBounds

__all__ = ["DashboardSettings", "render_all"]

_SHEETS = (
    overview.sheet,
    api.sheet,
    ecg.sheet,
    postgresql.sheet,
    redis.sheet,
    host.sheet,
    monitoring.sheet,
)


def render_all(settings: DashboardSettings) -> dict[str, str]:
    """Every dashboard's JSON by file stem (`overview`, ...); the same text for the same settings.

    The alerts' thresholds come from the files in `rules/`. Raises KeyError where a dashboard shows
    the threshold of an alert that is not there, ValueError where an override names none.
    """
    alerts = AlertBounds.from_rules(settings.alert_overrides, severities=settings.alert_severities)
    sheets = [make(alerts) for make in _SHEETS]
    return {sheet.stem: framed(sheet, settings) for sheet in sheets}
