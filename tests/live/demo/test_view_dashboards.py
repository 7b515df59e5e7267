"""Every dashboard in a browser: nothing is empty or wrong, and one leads to another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page

from components.dashboards import render_all
from components.dashboards.links import UID_PREFIX
from ops.offline import program
from tests.live import pages
from tests.live.pages import OF_THE_DEMO, Grafana, SeenPanel, query_of, uid_of
from tests.live.stack import Stack

DASHBOARD = "grafana:oss/dashboard:Dashboard"
EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yml").read_text())
OVERVIEW = f"{UID_PREFIX}overview"
OURS = [json.loads(text)["uid"] for text in render_all(OF_THE_DEMO).values()]
UIDS = [*OURS, "ward"]
RANGE = {"from": ["now-30m"], "to": ["now"]}
# A row of Grafana's grid is 38 pixels; the bars above it take about 160.
ROW, BARS = 38, 200
WIDTH = 1920
# On a machine too busy to scrape for some minutes, panels are rightly empty until it recovers.
RECOVERY_SECONDS = 300

every_dashboard = pytest.mark.parametrize("uid", UIDS)


@dataclass(frozen=True)
class Opened:
    """A dashboard in the browser: its panels, and where the links around them lead."""

    panels: list[SeenPanel]
    links: list[str]


@pytest.fixture(scope="module")
def boards(live: Stack) -> dict[str, dict[str, Any]]:
    """Each dashboard that the program made, by uid."""
    texts = (
        program.unwrap(found.inputs)["configJson"]
        for found in live.result.registrations
        if found.type == DASHBOARD
    )
    return {board["uid"]: board for board in map(json.loads, texts)}


@pytest.fixture(scope="module")
def opened(site: Grafana, boards: dict[str, dict[str, Any]]) -> Callable[[str], Opened]:
    """Opens a dashboard with all its panels in view, once."""
    found: dict[str, Opened] = {}

    def opened_once(uid: str) -> Opened:
        if uid not in found:
            found[uid] = _open(site, boards[uid])
        return found[uid]

    return opened_once


def _open(site: Grafana, board: dict[str, Any]) -> Opened:
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    with site.window(WIDTH, rows * ROW + BARS) as page:
        site.open(page, f"/d/{board['uid']}?from=now-30m&to=now")
        may_be_empty = _exempt(board)
        panels = pages.until(
            page,
            lambda seen: set(_empty(board, seen)) <= may_be_empty and not _wrong(seen),
            RECOVERY_SECONDS,
        )
        pages.screenshot(page, board["uid"])
        links = page.locator('a[href*="/d/"]').evaluate_all("links => links.map(one => one.href)")
    return Opened(panels, links)


def _wrong(seen: list[SeenPanel]) -> list[str]:
    return [panel.text for panel in seen if panel.error]


def _empty(board: dict[str, Any], seen: list[SeenPanel]) -> list[str]:
    """The titles of the panels that say that they have nothing to show."""
    said = {panel["title"]: _words_for_nothing(panel) for panel in board["panels"]}
    return [
        panel.lines[0]
        for panel in seen
        if panel.lines and said.get(panel.lines[0], {"No data"}) & set(panel.lines[1:])
    ]


def _words_for_nothing(panel: dict[str, Any]) -> set[str]:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    mapped = [entry["options"].get("-1", {}) for entry in defaults.get("mappings", [])]
    return {"No data", defaults.get("noValue", ""), *(found.get("text", "") for found in mapped)}


def _exempt(board: dict[str, Any]) -> set[str]:
    """The panels that may be empty: all of their queries are on the list."""
    stem = board["uid"].removeprefix(UID_PREFIX)
    pieces = [entry["expr"] for entry in EXEMPTIONS if entry["dashboard"] == stem]
    return {
        panel["title"]
        for panel in board["panels"]
        if all(any(piece in target["expr"] for piece in pieces) for target in panel["targets"])
    }


@every_dashboard
def test_every_panel_is_on_the_page(
    uid: str, opened: Callable[[str], Opened], boards: dict[str, dict[str, Any]]
) -> None:
    shown = [panel.lines[0] for panel in opened(uid).panels if panel.lines]
    assert sorted(shown) == sorted(panel["title"] for panel in boards[uid]["panels"])


@every_dashboard
def test_no_panel_shows_an_error(uid: str, opened: Callable[[str], Opened]) -> None:
    assert _wrong(opened(uid).panels) == []


@every_dashboard
def test_no_panel_is_empty(
    uid: str, opened: Callable[[str], Opened], boards: dict[str, dict[str, Any]]
) -> None:
    assert set(_empty(boards[uid], opened(uid).panels)) - _exempt(boards[uid]) == set()


@pytest.mark.parametrize("uid", [uid for uid in OURS if uid != OVERVIEW])
def test_a_dashboard_links_back_with_the_time_range_kept(
    uid: str, opened: Callable[[str], Opened]
) -> None:
    ways_back = [link for link in opened(uid).links if uid_of(link) == OVERVIEW]
    assert [link for link in ways_back if query_of(link).items() >= RANGE.items()]


@pytest.fixture
def overview(site: Grafana) -> Iterator[Page]:
    with site.window(WIDTH, 1200) as page:
        site.open(page, f"/d/{OVERVIEW}?from=now-30m&to=now")
        yield page


def _described_links(page: Page, title: str) -> list[str]:
    """Return where the links in a panel's description lead."""
    panel = page.locator(pages.PANEL).filter(
        has=page.get_by_role("heading", name=title, exact=True)
    )
    panel.get_by_test_id("title-items-container").locator("svg").first.hover()
    links = page.locator(".panel-info-content a")
    links.first.wait_for()
    found: list[str] = links.evaluate_all("links => links.map(one => one.href)")
    page.mouse.move(0, 0)
    links.first.wait_for(state="detached")
    return found


def test_every_panel_of_the_overview_leads_on_with_the_time_range_and_the_variables(
    overview: Page, boards: dict[str, dict[str, Any]]
) -> None:
    titles = [
        panel["title"] for panel in boards[OVERVIEW]["panels"] if "](<" in panel["description"]
    ]
    links = {title: _described_links(overview, title) for title in titles}
    lost = {
        title: found
        for title, found in links.items()
        if not all(_is_kept(link) and uid_of(link) in UIDS for link in found)
    }
    assert len(titles) > 12
    assert lost == {}


def _is_kept(link: str) -> bool:
    query = query_of(link)
    return query.items() >= RANGE.items() and "var-datasource" in query


def test_a_click_on_a_figure_opens_its_dashboard_with_the_time_range_kept(overview: Page) -> None:
    overview.locator(pages.PANEL).filter(has_text="Active Patients").locator("a").first.click()
    overview.wait_for_url("**/d/vitalstream-ecg**")
    assert pages.loaded(overview)
    assert _is_kept(overview.url)


def test_a_click_on_an_endpoint_opens_that_endpoint_and_the_way_back_keeps_it(
    overview: Page,
) -> None:
    links = overview.locator(pages.PANEL).locator("a")
    links.filter(has_text=re.compile(r"^/api/v1/patients$")).click()
    overview.wait_for_url("**/d/vitalstream-api**")
    overview.get_by_text("Request Rate by endpoint").wait_for()
    panels = pages.loaded(overview)
    (by_endpoint,) = (one for one in panels if one.lines[:1] == ["Request Rate by endpoint"])
    assert [line for line in by_endpoint.lines if line.startswith("/")] == ["/api/v1/patients"]
    overview.get_by_role("link", name="VitalStream Overview", exact=True).last.click()
    overview.wait_for_url(f"**/d/{OVERVIEW}**")
    assert pages.loaded(overview)
    kept = {**RANGE, "var-endpoint": ["/api/v1/patients"]}
    assert query_of(overview.url).items() >= kept.items()
