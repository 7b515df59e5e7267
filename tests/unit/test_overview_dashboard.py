"""Overview dashboard: its panels, their arrangement and their links."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from components.catalog.monitored import ALL_MONITORED
from components.dashboards import render_all
from components.dashboards.panels import COLUMN_PIXELS
from tests.each import for_each
from tests.unit.rendered_dashboards import DASHBOARDS, SETTINGS, panel_of, rules

TWELVE = [
    "Request Rate by status code",
    "Response Time p95 by endpoint",
    "Error Rate (5xx %)",
    "Active Patients",
    "Anomalies Detected (last hour)",
    "System Uptime",
    "CPU Usage",
    "Memory Usage",
    "Database Connections",
    "Redis Memory",
    "Anomaly Detection by Type",
    "API Endpoint Performance",
]


# What Grafana 12.4 leaves for a table's columns: on a laptop with the menu open, and on a phone.
LAPTOP_COLUMN = 43
PHONE_PIXELS = 340
FRAME_PIXELS = 24
# Of a table with more rows than fit; a phone has its scrollbar above the content.
SCROLLBAR_PIXELS = 17


def test_the_overview_has_the_twelve_panels_and_the_firing_alerts() -> None:
    alerts = {"Firing Alerts", "Firing Alerts, all"}
    assert {p["title"] for p in DASHBOARDS["overview"]["panels"]} == {*TWELVE, *alerts}


def test_the_overview_has_its_exact_title() -> None:
    assert DASHBOARDS["overview"]["title"] == "VitalStream Overview"


def test_anomalies_by_type_are_a_pie_and_endpoints_a_table() -> None:
    types = [panel_of("overview", title)["type"] for title in TWELVE[-2:]]
    assert types == ["piechart", "table"]


def test_tables_of_every_kind_have_room_for_all_columns_on_a_laptop_and_a_phone() -> None:
    every = replace(SETTINGS, watch=ALL_MONITORED, federates=True)
    boards = [json.loads(text) for text in render_all(every).values()]
    tables = [panel for board in boards for panel in board["panels"] if panel["type"] == "table"]
    needed = {panel["title"]: least_width(panel) for panel in tables}
    around = FRAME_PIXELS + SCROLLBAR_PIXELS
    laptop = {p["title"]: p["gridPos"]["w"] * LAPTOP_COLUMN - around for p in tables}
    assert len(needed) > 6
    assert {title for title, width in needed.items() if width > PHONE_PIXELS} == set()
    assert {title for title, width in needed.items() if width > laptop[title]} == set()


def least_width(table: dict[str, Any]) -> int:
    widths = {
        override["matcher"]["options"]: property_["value"]
        for override in table["fieldConfig"]["overrides"]
        for property_ in override["properties"]
        if property_["id"] in ("custom.width", "custom.minWidth")
    }
    columns = table["transformations"][-1]["options"]["renameByName"].values()
    return sum(widths.get(column, COLUMN_PIXELS) for column in columns)


def test_the_endpoint_table_has_rate_p95_and_errors() -> None:
    transformations = panel_of("overview", "API Endpoint Performance")["transformations"]
    names = transformations[-1]["options"]["renameByName"]
    assert list(names.values()) == ["Rate", "p95", "Errors", "Endpoint"]


def test_the_overview_fits_on_a_screen_of_1920x1080() -> None:
    # A row is 30 pixels and a gap of 8; Grafana's own bars take about 160 of the 1080.
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in DASHBOARDS["overview"]["panels"])
    assert bottom * 38 <= 1080 - 160


def test_the_overview_reads_from_patients_over_the_service_to_the_machines() -> None:
    ordered = sorted(
        (p for p in DASHBOARDS["overview"]["panels"]),
        key=lambda p: (p["gridPos"]["y"], p["gridPos"]["x"]),
    )
    titles = [p["title"] for p in ordered]
    assert titles[:2] == ["Firing Alerts", "Firing Alerts, all"]
    assert titles[2:4] == TWELVE[3:5]
    assert titles[-4:] == TWELVE[6:10]


def link_urls(panel: dict[str, Any]) -> list[str]:
    """Return the URLs of the links in a panel's description and on its values."""
    in_text = re.findall(r"\]\(<([^>]+)>\)", panel["description"])
    return [*in_text, *(link["url"] for link in panel["fieldConfig"]["defaults"]["links"])]


@for_each("title", TWELVE)
def test_panel_of_the_overview_links_to_a_dashboard_with_time_range_and_variables(
    title: str,
) -> None:
    found = [
        re.match(r"/d/([^?]+)\?\$\{__url_time_range\}&\$\{__all_variables\}", url)
        for url in link_urls(panel_of("overview", title))
    ]
    assert found
    uids = {board["uid"] for board in DASHBOARDS.values()} - {"vitalstream-overview"}
    assert all(match and match.group(1) in uids for match in found)


def test_a_drill_down_chooses_a_variable_that_its_target_has() -> None:
    for panel in DASHBOARDS["overview"]["panels"]:
        for url in re.findall(r'"/d/vitalstream-[^"]+', json.dumps(panel["fieldConfig"])):
            for name in re.findall(r"&var-(\w+)=", url):
                stem = url.split("?")[0].removeprefix('"/d/vitalstream-')
                assert name in {v["name"] for v in DASHBOARDS[stem]["templating"]["list"]}


def test_an_alerts_tile_opens_a_dashboard_that_is_there() -> None:
    expr = panel_of("overview", "Firing Alerts")["targets"][0]["expr"]
    renamed = {s: d for d, s in re.findall(r'"dashboard", "(\w+)", "service", "(\w+)"', expr)}
    services = {rule["labels"]["service"] for rule in rules() if "alert" in rule}
    boards = render_all(replace(SETTINGS, watch=ALL_MONITORED))
    assert {renamed.get(service, service) for service in services} <= set(boards)
