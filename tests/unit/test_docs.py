"""Links and tables of the documentation pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.alertmanager.destinations import DESTINATIONS, Destination
from components.settings.slack import SlackChannels
from ops.drill import plan
from tests.each import for_each

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub generates them."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@for_each("page", PAGES, lambda page: str(page.relative_to(ROOT)))
def test_page_links_have_existing_targets(page: Path) -> None:
    wrong = []
    for link in _LINK.finditer(_CODE.sub("", page.read_text())):
        target = page.parent / link["path"] if link["path"] else page
        if not target.exists() or (link["anchor"] and link["anchor"] not in anchors(target)):
            wrong.append(link[0])
    assert wrong == []


@pytest.mark.parametrize("row", DESTINATIONS, ids=lambda row: row.receiver)
def test_routing_table_matches_the_code(row: Destination) -> None:
    lines = (ROOT / "docs" / "operations" / "alerting.md").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"| `{row.receiver}` |"))
    times = [re.sub(r"(\d+)(\w)", r"\1 \2", text) for text in (row.wait, row.interval, row.repeat)]
    label, _, value = row.matcher.replace('"', "").partition("=")
    value = value.removeprefix("~").replace("|", " or ")
    channel = getattr(SlackChannels(), row.receiver)
    assert [cell.strip() for cell in line.strip("|").split("|")][3:] == times
    assert f"| {label} {value} |" in line
    assert (f"Slack `{channel}`" in line, "mail" in line) == (
        True,
        row.receiver in ("critical", "warnings"),
    )


def test_drill_link_anchor_exists() -> None:
    page, _, anchor = plan.LINK.partition("#")
    path = ROOT / page.removeprefix("https://github.com/vitalstream/monitoring/blob/main/")
    assert anchor in anchors(path)
