"""Tables in a browser: every column is in view, on a desk, a wall and a phone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from components.dashboards import DashboardSettings, render_all
from tests.live import pages
from tests.live.pages import Grafana
from tests.live.stack import eventually

SETTINGS = DashboardSettings(stack="live", retention_seconds=7 * 86400, scrape_interval="2s")
BOARDS = [json.loads(text) for text in render_all(SETTINGS).values()]
# Of each table, how many pixels its columns and its frame have.
WIDTHS = """panels => panels.flatMap(panel =>
    [...panel.querySelectorAll('[role=grid]')].map(grid =>
        [panel.innerText.split("\\n")[0], grid.scrollWidth, grid.clientWidth]))"""
DRAWN_SECONDS = 30
PHONE: dict[str, Any] = {"device_scale_factor": 3, "is_mobile": True, "has_touch": True}


def _drawn(page: Page, board: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return the widths of a dashboard's tables once all of them are drawn."""
    found: list[tuple[str, int, int]] = page.locator(pages.PANEL).evaluate_all(WIDTHS)
    return found if {title for title, _, _ in found} == _tables(board) else []


def _tables(board: dict[str, Any]) -> set[str]:
    return {panel["title"] for panel in board["panels"] if panel["type"] == "table"}


@pytest.mark.parametrize(
    ("width", "options"),
    [(1366, {}), (1920, {}), (3840, {}), (390, PHONE)],
    ids=["laptop", "desk", "wall", "phone"],
)
def test_tables_at_each_width_show_all_of_their_columns(
    width: int, options: dict[str, Any], site: Grafana
) -> None:
    boards = [board for board in BOARDS if _tables(board)]
    assert len(boards) > 3
    with site.window(width, 6000, **options) as page:
        for board in boards:
            site.open(page, f"/d/{board['uid']}?from=now-30m&to=now")
            found = eventually(lambda board=board: _drawn(page, board), DRAWN_SECONDS)
            assert found, f"{board['uid']} does not draw {_tables(board)}"
            assert [one for one in found if one[1] > one[2] + 1] == []
