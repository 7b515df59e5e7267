"""The overview on a screen on the wall and on a phone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.live import pages
from tests.live.pages import Grafana, SeenPanel

OVERVIEW = "/d/vitalstream-overview?from=now-30m&to=now&kiosk"
WALL = (1920, 1080)
# The pixels of CSS of a phone whose screen has three times as many.
PHONE = (390, 844)
# Grafana loads panels that are in view; on a phone all of them are one below the other.
ALL_OF_IT = 5000
READABLE_FROM_AFAR = 60
# On a busy machine two or more alerts may fire in the demo, each with half of the strip.
READABLE_BESIDE_ANOTHER = 28
READABLE_IN_THE_HAND = 10


@pytest.fixture(scope="module")
def wall(site: Grafana) -> Iterator[Page]:
    with site.window(*WALL) as page:
        site.open(page, OVERVIEW)
        pages.screenshot(page, "overview-wall")
        yield page


@pytest.fixture(scope="module")
def phone(site: Grafana) -> Iterator[Page]:
    with site.window(*PHONE, **pages.PHONE) as page:
        site.open(page, OVERVIEW)
        pages.screenshot(page, "overview-phone")
        page.set_viewport_size({"width": PHONE[0], "height": ALL_OF_IT})
        pages.loaded(page)
        yield page


def outside(panels: list[SeenPanel], width: int, height: int) -> list[str]:
    return [
        panel.lines[0]
        for panel in panels
        if panel.left < 0 or panel.top < 0 or panel.right > width or panel.bottom > height
    ]


def cut_off(page: Page) -> list[str]:
    return [text for text, _, is_cut in pages.texts(page) if is_cut]


def test_the_wall_shows_all_of_the_overview_without_scrolling(wall: Page) -> None:
    assert len(pages.seen(wall)) == 14
    assert pages.remaining(lambda: outside(pages.seen(wall), *WALL)) == []


def test_the_wall_can_have_the_overview_fill_the_screen(site: Grafana) -> None:
    with site.window(*WALL) as page:
        site.open(page, f"{OVERVIEW}&autofitpanels")
        assert pages.remaining(lambda: outside(pages.seen(page), *WALL)) == []
        # Grafana 12 leaves a tenth below the last row.
        assert max(panel.bottom for panel in pages.seen(page)) > 0.88 * WALL[1]


@pytest.mark.parametrize(
    ("title", "pixels"),
    [
        ("Firing Alerts", READABLE_BESIDE_ANOTHER),
        ("Active Patients", READABLE_FROM_AFAR),
        ("System Uptime", READABLE_FROM_AFAR),
    ],
)
def test_what_matters_can_be_read_from_afar(title: str, pixels: int, wall: Page) -> None:
    assert max(size for _, size, _ in pages.texts(wall, title)) >= pixels


def test_no_text_is_cut_off_on_the_wall(wall: Page) -> None:
    assert pages.remaining(lambda: cut_off(wall)) == []


def test_the_phone_has_the_panels_one_below_the_other(phone: Page) -> None:
    panels = sorted(pages.seen(phone), key=lambda panel: panel.top)
    assert len(panels) == 14
    assert len({round(panel.left) for panel in panels}) == 1
    for upper, lower in itertools.pairwise(panels):
        assert upper.bottom <= lower.top


def test_the_phone_need_not_be_pushed_sideways(phone: Page) -> None:
    assert pages.remaining(lambda: outside(pages.seen(phone), PHONE[0], ALL_OF_IT)) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_no_text_is_cut_off_on_the_phone(phone: Page) -> None:
    """Except in the cells of tables, whose columns are all in view: a long name ends in dots."""

    def found() -> list[str]:
        in_cells = phone.locator("[role=gridcell]").all_inner_texts()
        return [text for text in cut_off(phone) if text not in in_cells]

    assert pages.remaining(found) == []


def test_the_text_on_the_phone_can_be_read(phone: Page) -> None:
    assert [text for text, size, _ in pages.texts(phone) if size < READABLE_IN_THE_HAND] == []
