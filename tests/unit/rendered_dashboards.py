"""Dashboards as they are rendered for the stack dev, and their panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.dashboards import DashboardSettings, render_all
from tests import yaml_text
from tests.each import for_each

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400
SETTINGS = DashboardSettings(stack="dev", retention_seconds=7 * DAY, scrape_interval="15s")
RENDERED = render_all(SETTINGS)
DASHBOARDS: dict[str, dict[str, Any]] = {stem: json.loads(text) for stem, text in RENDERED.items()}
PANELS = [(stem, panel) for stem, board in DASHBOARDS.items() for panel in board["panels"]]
every_dashboard = for_each("stem", DASHBOARDS)
every_panel = for_each("stem, panel", PANELS, lambda case: f"{case[0]}: {case[1]['title']}")


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "rules").glob("*.yml")):
        for group in yaml_text.load(path.read_text())["groups"]:
            yield from group["rules"]


def panel_of(stem: str, title: str) -> dict[str, Any]:
    return next(p for p in DASHBOARDS[stem]["panels"] if p["title"] == title)
