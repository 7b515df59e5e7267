"""Dashboards in a browser with the menu open: titles and tables at each width of a screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests
from playwright.sync_api import Page

from components.catalog.monitored import ALL_MONITORED
from components.dashboards import DashboardSettings, render_all
from tests.live import pages
from tests.live.pages import OF_THE_DEMO, Grafana
from tests.live.stack import SECRETS, eventually

OF_EVERY_KIND = replace(OF_THE_DEMO, watch=ALL_MONITORED, federates=True)
# Of each panel the title, and whether the heading that shows it hides a part of it.
TITLES = """panels => panels.flatMap(panel => [...panel.querySelectorAll('h2')].map(title =>
    [title.textContent, title.scrollWidth > title.clientWidth + 1]))"""
DRAWN_SECONDS = 30
WIDTHS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "laptop": (1366, 6000, {}),
    "desk": (1920, 6000, {}),
    "wall": (3840, 6000, {}),
    # One panel below the other.
    "phone": (390, 15000, pages.PHONE),
}


@dataclass
class Found:
    """What is cut at a width, by dashboard and panel; `tables` counts the tables that were seen."""

    titles: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    tables: int = 0


def _boards_of(settings: DashboardSettings) -> dict[str, dict[str, Any]]:
    boards = [json.loads(text) for text in render_all(settings).values()]
    return {board["uid"]: board for board in boards}


DEMO = _boards_of(OF_THE_DEMO)


@pytest.fixture(scope="module")
def boards(site: Grafana) -> Iterator[list[dict[str, Any]]]:
    """The demo's dashboards, and those of the kinds that it does not have, put there by API."""
    others = [board for uid, board in _boards_of(OF_EVERY_KIND).items() if uid not in DEMO]
    api = f"{site.url}/api/dashboards"
    with requests.Session() as session:
        session.auth = ("admin", SECRETS["grafanaAdminPassword"])
        for board in others:
            session.post(f"{api}/db", json={"dashboard": board}, timeout=10).raise_for_status()
        yield [*DEMO.values(), *others]
        for board in others:
            session.delete(f"{api}/uid/{board['uid']}", timeout=10).raise_for_status()


@pytest.fixture(scope="module", params=WIDTHS)
def found(request: pytest.FixtureRequest, site: Grafana, boards: list[dict[str, Any]]) -> Found:
    width, height, options = WIDTHS[request.param]
    found = Found()
    with site.window(width, height, **options) as page:
        page.add_init_script(pages.MENU_OPEN)
        for board in boards:
            site.open(page, f"/d/{board['uid']}?from=now-30m&to=now")
            drawn = eventually(lambda board=board: _is_drawn(page, board), DRAWN_SECONDS)
            assert drawn, f"{board['uid']} does not draw all of its panels"
            titles = pages.remaining(lambda: _cut(_titles(page)))
            columns = pages.remaining(lambda: _cut(pages.tables(page)))
            found.titles += [f"{board['uid']}: {title}" for title in titles]
            found.columns += [f"{board['uid']}: {title}" for title in columns]
            found.tables += len(pages.tables(page))
    return found


def _cut(found: list[tuple[str, bool]]) -> list[str]:
    return [title for title, is_cut in found if is_cut]


def _titles(page: Page) -> list[tuple[str, bool]]:
    """Return each panel's title, and whether a part of it is hidden."""
    return [(title, is_cut) for title, is_cut in page.locator(pages.PANEL).evaluate_all(TITLES)]


def _is_drawn(page: Page, board: dict[str, Any]) -> bool:
    """Whether all panels and tables of a dashboard are there.

    The tables are not waited for on the dashboards put there by API: without data there are none.
    """
    wanted = {panel["title"] for panel in board["panels"]}
    filled = {panel["title"] for panel in board["panels"] if panel["type"] == "table"}
    has_data = board["uid"] not in DEMO or filled == {title for title, _ in pages.tables(page)}
    return wanted <= {title for title, _ in _titles(page)} and has_data


def test_titles_at_each_width_are_whole(found: Found) -> None:
    assert found.titles == []


def test_tables_at_each_width_show_all_of_their_columns(found: Found) -> None:
    assert found.tables > 5
    assert found.columns == []
