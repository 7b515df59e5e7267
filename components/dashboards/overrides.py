"""What single columns, lines and values look like, in the words of Grafana's field overrides."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import dashboard

from components.dashboards.links import Link
from components.dashboards.thresholds import Threshold, colour_steps, steps, up_or_down


def _zero_or_one(zero: str, one: str) -> list[dashboard.ValueMapping]:
    return [
        dashboard.ValueMap(
            options={
                "0": dashboard.ValueMappingResult(text=zero, index=0),
                "1": dashboard.ValueMappingResult(text=one, index=1),
            }
        )
    ]


UP_OR_DOWN: Final = _zero_or_one("Down", "Up")
FIRING_OR_SILENT: Final = _zero_or_one("Silent", "Firing")
NOT_FILLING: Final = -1
"""Days until full of what does not fill up."""

# The last that matches a name counts.
_ANOMALY_COLOURS: Final = {
    "^(?!None)": "#8a8f98",
    "premature": "light-blue",
    "bradycardia": "blue",
    "tachycardia": "yellow",
    "fibrillation|flutter": "purple",
    "st_elevation|ischemi": "orange",
    "ventricular_(fibrillation|tachycardia)": "red",
    "critical": "semi-dark-red",
    "asystole|arrest": "dark-red",
}
_STATUS_COLOURS: Final = {"2": "green", "3": "blue", "4": "orange", "5": "red"}

ACCEPTED_OR_REFUSED: Final = _zero_or_one("Refused", "Accepted")


def column(
    unit: str, bound: Threshold | None = None, width: int | None = None
) -> list[dashboard.DynamicConfigValue]:
    """The overrides of a table's column: unit, colour of the text by `bound`, width in pixels."""
    # The panel's own words for nothing are too long for a cell.
    found = [
        dashboard.DynamicConfigValue("unit", unit),
        dashboard.DynamicConfigValue("noValue", "-"),
    ]
    if width is not None:
        found.append(dashboard.DynamicConfigValue("custom.width", width))
    if bound is not None:
        found += coloured_text(steps(bound))
    return found


def data_link(link: Link) -> dashboard.DynamicConfigValue:
    """The override that links the values it is given to, such as a table's column."""
    found = link.on_data()
    return dashboard.DynamicConfigValue("links", [{"title": found.title, "url": found.url}])


def least_width(pixels: int) -> dashboard.DynamicConfigValue:
    """The override of a column that takes a share of the width, and at least `pixels`."""
    return dashboard.DynamicConfigValue("custom.minWidth", pixels)


def wide(pixels: int) -> list[dashboard.DynamicConfigValue]:
    """The overrides of a column of long words: they go on in the next line on a phone."""
    return [
        least_width(pixels),
        dashboard.DynamicConfigValue("custom.wrapText", value=True),
    ]


def limit_line() -> list[dashboard.DynamicConfigValue]:
    """The overrides that draw a limit, such as max_connections, as a grey dashed line."""
    return [*_dashed(), fixed_colour("text")]


def alert_line(bound: Threshold) -> list[dashboard.DynamicConfigValue]:
    """The overrides that draw a computed line where an alert fires, dashed in its colour."""
    return [*_dashed(), fixed_colour(bound.colour)]


def fixed_colour(colour: str) -> dashboard.DynamicConfigValue:
    """The override that gives a line the same colour wherever it comes in the list."""
    return dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def anomaly_colours() -> dict[str, list[dashboard.DynamicConfigValue]]:
    """The override of each known type of anomaly, by a regular expression that matches its name.

    A type has one colour everywhere, whatever other types are there. What kills within minutes is
    red, and none is green, also of the types that only a backend knows.
    """
    return {f"/{name}/i": [fixed_colour(colour)] for name, colour in _ANOMALY_COLOURS.items()}


def coloured_by_status(panel: timeseries.Panel) -> timeseries.Panel:
    """The panel, whose series are named by HTTP statuses, with a colour for each kind of them."""
    for digit, colour in _STATUS_COLOURS.items():
        panel.override_by_regexp(f"/^{digit}/", [fixed_colour(colour)])
    return panel


def _dashed() -> list[dashboard.DynamicConfigValue]:
    return [
        dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
        dashboard.DynamicConfigValue("custom.lineWidth", 2),
        dashboard.DynamicConfigValue("custom.fillOpacity", 0),
        dashboard.DynamicConfigValue("custom.stacking", {"group": "limit", "mode": "none"}),
    ]


def up_or_down_column(width: int | None = 90) -> list[dashboard.DynamicConfigValue]:
    """The overrides of a column of 0 and 1: a red Down, a green Up."""
    mappings = dashboard.DynamicConfigValue("mappings", UP_OR_DOWN)
    return [*column("none", width=width), mappings, *coloured_text(up_or_down())]


def days_until_full() -> list[dashboard.DynamicConfigValue]:
    """The overrides of a column of days: red below 2, orange below a week, a dash for -1."""
    dash = dashboard.ValueMap(
        options={str(NOT_FILLING): dashboard.ValueMappingResult(text="-", color="text", index=0)}
    )
    days = colour_steps(
        [
            dashboard.Threshold(value=None, color="red"),
            dashboard.Threshold(value=2, color="orange"),
            dashboard.Threshold(value=7, color="green"),
        ]
    )
    mappings = dashboard.DynamicConfigValue("mappings", [dash])
    return [*column("d", width=75), mappings, *coloured_text(days)]


def coloured_text(thresholds: builders.ThresholdsConfig) -> list[dashboard.DynamicConfigValue]:
    """The overrides of a column whose text has the colour of its value."""
    return [
        dashboard.DynamicConfigValue("thresholds", thresholds.build()),
        dashboard.DynamicConfigValue("color", {"mode": "thresholds"}),
        dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]
