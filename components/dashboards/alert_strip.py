"""The strip of firing alerts: one tile an alert, the worst first, one green tile when all is well.

It asks Prometheus for ALERTS, so that it needs no alert rules of Grafana's own.
"""

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.models import common, dashboard

from components.dashboards.links import Link
from components.dashboards.overrides import data_link
from components.dashboards.panels import At, Face, Query, stat
from components.dashboards.thresholds import colour_steps

# The dashboard that explains a service's alerts, where it is not named like the service.
_STEM_OF_SERVICE: Final[Mapping[str, str]] = {
    "backend": "api",
    "cache": "redis",
    "database": "postgresql",
}

_FIRING: Final = 'ALERTS{alertstate="firing", severity="%s"}'
_WARNING, _CRITICAL = 1, 2


def alert_strip(at: At) -> stat_builders.Panel:
    """The strip at the place `at`; a click on a tile opens the dashboard of the alert's service."""
    face = Face(
        title="Firing Alerts",
        description=(
            "Every alert that fires now: red is critical, orange a warning. Green means that "
            "Prometheus was asked and none fires. If the Watchdog, which always fires, is silent, "
            "rules are not evaluated and the other panels' calm means nothing. A click on a tile "
            "opens the dashboard of its service."
        ),
        at=at,
        unit="none",
        empty="Prometheus gave no answer",
    )
    panel = stat(
        face,
        Query(_firing_by_dashboard(), "{{alertname}}"),
        Query(
            'absent(ALERTS{alertstate="firing", severity=~"critical|warning"}) - 1',
            "No alert is firing",
        ),
        Query(
            f'absent(ALERTS{{alertstate="firing", alertname="Watchdog"}}) * {_CRITICAL}',
            "Watchdog is silent: alerts are not evaluated",
        ),
        bound=colour_steps(
            [
                dashboard.Threshold(value=None, color="green"),
                dashboard.Threshold(value=_WARNING, color="orange"),
                dashboard.Threshold(value=_CRITICAL, color="red"),
            ]
        ),
        sparkline=False,
    )
    tile = Link("${__field.labels.dashboard}", "Open the dashboard of its service")
    return (
        panel.color_mode(common.BigValueColorMode.BACKGROUND)
        .text_mode(common.BigValueTextMode.NAME)
        .orientation(common.VizOrientation.VERTICAL)
        .override_by_query("A", [data_link(tile)])
    )


def _firing_by_dashboard() -> str:
    """The alerts as 2 (critical) or 1 (warning), with the stem of the dashboard to open."""
    expr = (
        f"max by (alertname, service) ("
        f"{_CRITICAL} * {_FIRING % 'critical'} or {_WARNING} * {_FIRING % 'warning'})"
    )
    expr = f'label_replace({expr}, "dashboard", "$1", "service", "(.*)")'
    for service, stem in _STEM_OF_SERVICE.items():
        expr = f'label_replace({expr}, "dashboard", "{stem}", "service", "{service}")'
    return f"sort_desc({expr})"
