"""Dashboards without a backend, which is stopped for a moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import pages
from tests.live.pages import Grafana, SeenPanel
from tests.live.stack import Stack, eventually

RED = "rgb(242, 73, 92)"
GONE = 'absent(job:active_patients:sum) and absent(up{job="backend"} == 1)'


@pytest.fixture(scope="module")
def stopped(live: Stack, site: Grafana) -> Iterator[Grafana]:
    """Grafana while there is no backend; not so long that an alert would fire."""
    backend = live.container("demo-backend")
    backend.stop(timeout=2)
    try:
        assert eventually(lambda: live.query(GONE), 60)
        yield site
    finally:
        backend.start()
        eventually(lambda: live.query('up{job="backend"} == 1'), 30)


@pytest.mark.parametrize(
    ("uid", "title", "words"),
    [
        ("vitalstream-overview", "Active Patients", "No backend reports"),
        ("vitalstream-overview", "System Uptime", "No backend is up"),
        ("vitalstream-api", "Backends Up", "Down"),
        ("vitalstream-ecg", "Active Patients", "No report"),
    ],
)
def test_a_backend_that_is_gone_is_said_in_red(
    uid: str, title: str, words: str, stopped: Grafana
) -> None:
    def is_said(panels: list[SeenPanel]) -> bool:
        return any(panel.lines == [title, words] for panel in panels)

    with stopped.window(1920, 1080) as page:
        stopped.open(page, f"/d/{uid}?from=now-30m&to=now&kiosk")
        assert is_said(pages.until(page, is_said, 15))
        said = page.locator(pages.PANEL).filter(has_text=title).get_by_text(words, exact=True)
        assert said.first.evaluate("one => getComputedStyle(one).color") == RED
        pages.screenshot(page, f"{uid}-without-a-backend")
