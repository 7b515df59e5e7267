"""Grafana's pages in a real browser, and what a person sees on them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from components.dashboards import DashboardSettings
from tests.live.stack import DEMO_SCRAPE_SECONDS, SECRETS, eventually

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = "chromium"
# The browser talks to this machine's Grafana and to nobody else.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
OF_THE_DEMO = DashboardSettings(
    stack="live", retention_seconds=7 * 86400, scrape_interval=f"{DEMO_SCRAPE_SECONDS}s"
)
SETTLING_SECONDS = 60
# Grafana 12 loads several MB of scripts, which takes its time while containers start.
LOADING_SECONDS = 45
# Chromium gives up a page's requests when the machine's network changes, and Docker changes it with
# every container that starts or stops: Grafana then says that it has failed to load its files.
ATTEMPTS = 4
PANEL = "[data-viz-panel-key]"
ERROR = '[data-testid="data-testid Panel status error"]'
# Of a browser's window: a screen with three pixels for each of CSS, and touch.
PHONE: dict[str, Any] = {"device_scale_factor": 3, "is_mobile": True, "has_touch": True}
MENU_OPEN = "localStorage.setItem('grafana.navigation.docked', 'true')"
LOADING = '[aria-label="Panel loading bar"]'
_SEEN = f"""panels => panels.map(panel => {{
    const box = panel.getBoundingClientRect();
    return {{
        text: panel.innerText,
        error: panel.querySelector('{ERROR}') !== null,
        loading: panel.querySelector('{LOADING}') !== null,
        links: [...panel.querySelectorAll('a[href]')].map(link => link.href),
        left: box.left, top: box.top, right: box.right, bottom: box.bottom,
    }};
}})"""

# Pieces of text whose box is cut by an element that hides what does not fit, and their size.
_TEXTS = """panels => panels.flatMap(panel => {
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (!node.data.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const box = range.getBoundingClientRect();
        if (!box.width) continue;
        let cut = false;
        for (let up = node.parentElement; up !== panel.parentElement; up = up.parentElement) {
            const hides = getComputedStyle(up).overflowX;
            const frame = up.getBoundingClientRect();
            // For screen readers alone.
            if (frame.width <= 1) break;
            if (hides === 'auto' || hides === 'scroll') break;
            if (hides !== 'visible' && (box.right > frame.right + 2 || box.left < frame.left - 2))
                cut = true;
        }
        const size = parseFloat(getComputedStyle(node.parentElement).fontSize);
        found.push([node.data.trim(), size, cut]);
    }
    return found;
})"""
# Of each table the title, and whether its columns are wider than its frame.
_TABLES = """panels => panels.flatMap(panel =>
    [...panel.querySelectorAll('[role=grid]')].map(grid =>
        [panel.innerText.split("\\n")[0], grid.scrollWidth > grid.clientWidth + 1]))"""


@dataclass(frozen=True)
class SeenPanel:
    """Panel on the page; the box is in CSS pixels from the window's corner."""

    text: str
    error: bool
    loading: bool
    links: list[str]
    left: float
    top: float
    right: float
    bottom: float

    @property
    def lines(self) -> list[str]:
        """Return the panel's text; the first line is its title."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]


@dataclass(frozen=True)
class Grafana:
    """Grafana in a browser, logged in; `session` is Playwright's storage state."""

    url: str
    browser: Browser
    session: dict[str, Any]

    @contextlib.contextmanager
    def window(self, width: int, height: int, **options: Any) -> Iterator[Page]:
        """An empty page in a window of its own; what it shows when a test fails is kept."""
        size: Any = {"width": width, "height": height}
        context = self.browser.new_context(viewport=size, storage_state=self.session, **options)
        page = context.new_page()
        try:
            yield page
        except Exception:
            screenshot(page, f"failed-{time.monotonic_ns()}")
            raise
        finally:
            # Grafana changes the token of a login every 10 minutes, and then refuses the old one.
            self.session["cookies"] = context.storage_state()["cookies"]
            context.close()

    def open(self, page: Page, path: str) -> list[SeenPanel]:
        """Goes to the dashboard and waits until its panels have loaded."""
        patiently(lambda: page.goto(f"{self.url}{path}"))
        return loaded(page)


def loaded(page: Page) -> list[SeenPanel]:
    """Return the panels in the window when all of them are loaded."""

    def shown() -> None:
        try:
            page.wait_for_selector(PANEL, timeout=LOADING_SECONDS * 1000)
        except Error:
            page.reload()
            raise

    patiently(shown)

    def settled() -> list[SeenPanel]:
        page.wait_for_timeout(300)
        found = seen(page)
        # One that is not yet scrolled to stays empty.
        inside = [panel for panel in found if panel.top < page.viewport_size["height"]]
        return found if not any(panel.loading or not panel.lines for panel in inside) else []

    return eventually(settled, SETTLING_SECONDS, pause=0) or seen(page)


def patiently(act: Callable[[], object]) -> None:
    """Retry an action while the browser fails; the last failure is raised."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(Error):
            act()
            return
    act()


def seen(page: Page) -> list[SeenPanel]:
    return [SeenPanel(**found) for found in page.locator(PANEL).evaluate_all(_SEEN)]


def texts(page: Page, title: str = "") -> list[tuple[str, float, bool]]:
    """Return each piece of text in the panels, its size in pixels and whether it is cut off.

    With a title, in the panel of that title.
    """
    panels = page.locator(PANEL)
    if title:
        panels = panels.filter(has=page.get_by_role("heading", name=title, exact=True))
    return [(text, size, cut) for text, size, cut in panels.evaluate_all(_TEXTS)]


def tables(page: Page) -> list[tuple[str, bool]]:
    """Return each table's title, and whether its columns are wider than its frame."""
    return [(title, is_cut) for title, is_cut in page.locator(PANEL).evaluate_all(_TABLES)]


def until(
    page: Page, is_right: Callable[[list[SeenPanel]], bool], seconds: float = SETTLING_SECONDS
) -> list[SeenPanel]:
    """Reload the page until the panels are as expected or the time is over; return them."""

    deadline = time.monotonic() + seconds
    while True:
        found = loaded(page)
        # Not after a reload: the page would be empty.
        if is_right(found) or time.monotonic() > deadline:
            return found
        patiently(page.reload)


def remaining(find: Callable[[], list[Any]]) -> list[Any]:
    """Return the faults that stay on a page; [] as soon as there are none.

    A panel that is mounted or resized at the moment of a look may cut its text.
    """
    deadline = time.monotonic() + SETTLING_SECONDS
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def screenshot(page: Page, name: str) -> None:
    """Kept in build/screenshots."""
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def uid_of(url: str) -> str:
    """Return the uid of the dashboard at an address."""
    parts = urlsplit(url).path.split("/")
    return parts[parts.index("d") + 1]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser, driven by Playwright. Skips where there is none.

    Playwright keeps an event loop running in this thread: nothing else that needs one may run
    meanwhile.
    """
    path = shutil.which(CHROMIUM)
    if path is None:
        unavailable(f"there is no {CHROMIUM} on PATH")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def log_in(browser: Browser, url: str) -> Any:
    """Log in on the page and return the session."""
    context: BrowserContext = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LOADING_SECONDS * 1000)

    def logged_in() -> None:
        page.goto(f"{url}/login")
        page.fill('input[name="user"]', "admin")
        page.fill('input[name="password"]', SECRETS["grafanaAdminPassword"])
        page.click('button[type="submit"]')
        page.wait_for_url(lambda address: "/login" not in address)

    try:
        patiently(logged_in)
        return context.storage_state()
    finally:
        context.close()


def unavailable(reason: str) -> None:
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"REQUIRE_BROWSER=1, but {reason}", pytrace=False)
    pytest.skip(reason)
