"""The firing alerts: the worst as tiles for the wall, all of them as a list for a phone.

The worst stand first, among critical ones the backend's: what another says is often a consequence.
Prometheus is asked for ALERTS, so that no alert rules of Grafana's own are needed.
"""

import re
from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.models import common, dashboard

from components.catalog.integrations import INTEGRATIONS
from components.dashboards.links import Link
from components.dashboards.overrides import coloured_text, column, data_link, wide
from components.dashboards.panels import NO_ANSWER, GridPos, PanelOptions, Query, stat, table
from components.dashboards.thresholds import colour_steps

# The dashboard that explains a service's alerts, where it is not named like the service.
_STEM_OF_SERVICE: Final[Mapping[str, str]] = {
    found.service: found.dashboards[0]
    for found in sorted(INTEGRATIONS, key=lambda found: found.service)
    if found.service != found.dashboards[0]
}

_FIRING: Final = 'ALERTS{alertstate="firing", severity="%s"}'
_FIRST: Final = 'ALERTS{alertstate="firing", severity="critical", service="backend"}'
_WARNING, _CRITICAL, _BACKEND = 1, 2, 3
# What distinguishes two alerts of one name, the most telling first.
_TELLING: Final = (
    "endpoint",
    "mountpoint",
    "device",
    "datname",
    "slot_name",
    "collector",
    "metric",
    "rule_group",
    "job",
    "instance",
)
_SEVERITIES: Final = ("-", "warning", "critical", "critical")
# In each column: Grafana would call the only one that is left by another name.
_OR_NONE: Final = ' or on() label_replace(vector(0), "alertname", "None", "", "")'
# More of them would be too narrow to be read from afar.
_TILES: Final = 2


def alert_strip(grid_pos: GridPos) -> stat_builders.Panel:
    """Return the strip; a click on a tile opens the dashboard of the alert's service."""
    options = PanelOptions(
        title="Firing Alerts",
        description=(
            "The worst alert that fires now, and the second or how many more: red is critical, "
            "orange a warning. Green means that Prometheus was asked and none fires. If the "
            "Watchdog, which always fires, is silent, rules are not evaluated and the other "
            "panels' calm means nothing. A click on a tile opens the dashboard of its service."
        ),
        grid_pos=grid_pos,
        unit="none",
        empty=NO_ANSWER,
    )
    firing = _firing_by_dashboard()
    count = f"count({firing})"
    panel = stat(
        options,
        Query(
            f"topk(1, {firing}) or topk({_TILES}, {firing}) and on() {count} <= {_TILES}",
            "{{alertname}}",
        ),
        Query(
            'absent(ALERTS{alertstate="firing", severity=~"critical|warning"}) - 1',
            "No alert is firing",
        ),
        Query(
            f'absent(ALERTS{{alertstate="firing", alertname="Watchdog"}}) * {_CRITICAL}',
            "Watchdog is silent: alerts are not evaluated",
        ),
        # In the colour of the second one, the worst of those without a tile.
        Query(
            f'count_values("more", {count} - 1 > {_TILES - 1}) '
            f"* on() group_left() min(topk({_TILES}, {firing}))",
            "and {{more}} more",
        ),
        bound=_colours(),
        sparkline=False,
        missing=None,
    )
    tile = Link("${__field.labels.dashboard}", "Open the dashboard of its service")
    return (
        panel.color_mode(common.BigValueColorMode.BACKGROUND)
        .text_mode(common.BigValueTextMode.NAME)
        .orientation(common.VizOrientation.VERTICAL)
        .override_by_query("A", [data_link(tile)])
    )


def alert_list(grid_pos: GridPos, names: Mapping[str, str]) -> table_builders.Panel:
    """Return the list of all firing alerts, with their severity and for how long they fire.

    `names` are what people call an instance.
    """
    firing = _with_where(_firing(f"alertname, {', '.join(_TELLING)}"))
    since = _with_where(
        f"min by (alertname, {', '.join(_TELLING)}) "
        '(ALERTS_FOR_STATE{severity=~"critical|warning"})'
    )
    options = PanelOptions(
        title="Firing Alerts, all",
        description=(
            "Every alert that fires now, what it is about, its severity and how long its condition "
            "has held. What the tiles have no room for is here."
        ),
        grid_pos=grid_pos,
        unit="none",
        empty=NO_ANSWER,
        links=[Link("monitoring", "Monitoring itself")],
    )
    severities = dashboard.ValueMap(
        options={
            str(value): dashboard.ValueMappingResult(text=text, index=value)
            for value, text in enumerate(_SEVERITIES)
        }
    )
    panel = table(
        options,
        Query(f"{firing}{_OR_NONE}", "Severity"),
        Query(f"time() - {since} and on (alertname, where) {firing}{_OR_NONE}", "For"),
        keys={"alertname": "Alert", "where": "About"},
        sort_by="Severity",
    ).show_header(False)
    no_time = dashboard.DynamicConfigValue(
        "mappings",
        [dashboard.ValueMap(options={"0": dashboard.ValueMappingResult(text="-", index=0)})],
    )
    # An alert of the whole service has nothing there: the panel's words would mean a fault.
    about = [*wide(70), _called(names), dashboard.DynamicConfigValue("noValue", "-")]
    severity = [
        *column("none", width=70),
        dashboard.DynamicConfigValue("mappings", [severities]),
        *coloured_text(_colours()),
    ]
    return (
        panel.override_by_name("Alert", wide(95))
        .override_by_name("About", about)
        .override_by_name("Severity", severity)
        .override_by_name("For", [*column("s", width=80), no_time])
    )


def _called(names: Mapping[str, str]) -> dashboard.DynamicConfigValue:
    """The override that shows the instance, which `where` ends with, by its name."""
    mappings = [
        dashboard.RegexMap(
            options=dashboard.DashboardRegexMapOptions(
                pattern=f"^(.* )?{re.escape(instance)}$",
                result=dashboard.ValueMappingResult(
                    text="$1" + name.replace("$", "$$"), index=index
                ),
            )
        )
        for index, (instance, name) in enumerate(names.items())
    ]
    return dashboard.DynamicConfigValue("mappings", mappings)


def _colours() -> dashboard_builders.ThresholdsConfig:
    return colour_steps(
        [
            dashboard.Threshold(value=None, color="red"),
            dashboard.Threshold(value=0, color="green"),
            dashboard.Threshold(value=_WARNING, color="orange"),
            dashboard.Threshold(value=_CRITICAL, color="red"),
        ]
    )


def _with_where(expr: str) -> str:
    """The series by alert and `where`, which joins the labels that distinguish it."""
    labels = ", ".join(f'"{label}"' for label in _TELLING)
    joined = f'label_join({expr}, "where", " ", {labels})'
    return f'max by (alertname, where) (label_replace({joined}, "where", "$1", "where", " *(.*)"))'


def _firing(by: str) -> str:
    """The alerts as 3 or 2 (critical) or 1 (warning)."""
    return (
        f"max by ({by}) ({_BACKEND} * {_FIRST} or {_CRITICAL} * {_FIRING % 'critical'} "
        f"or {_WARNING} * {_FIRING % 'warning'})"
    )


def _firing_by_dashboard() -> str:
    """The alerts with the stem of the dashboard to open."""
    expr = f'label_replace({_firing("alertname, service")}, "dashboard", "$1", "service", "(.*)")'
    for service, stem in _STEM_OF_SERVICE.items():
        expr = f'label_replace({expr}, "dashboard", "{stem}", "service", "{service}")'
    return expr
