"""Every query of every panel, with its variables standing for all that they can choose."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.catalog.monitored import ALL_MONITORED
from components.dashboards import DashboardSettings, render_all
from components.dashboards.panels import OR_NOTHING

DAY = 86400
# Grafana's figure at the default scrape interval of 15 s: four of them.
RATE_INTERVAL = "1m"


@dataclass(frozen=True)
class Target:
    """One query of a panel; `legend` is what it calls each series."""

    dashboard: str
    panel: str
    expr: str
    instant: bool
    legend: str


def boards(scrape_interval: str, watch: Sequence[str] = ALL_MONITORED) -> dict[str, dict[str, Any]]:
    """The dashboards by stem."""
    rendered = render_all(
        DashboardSettings(
            stack="live",
            retention_seconds=7 * DAY,
            scrape_interval=scrape_interval,
            watch=watch,
        )
    )
    return {stem: json.loads(text) for stem, text in rendered.items()}


def targets(found: dict[str, dict[str, Any]]) -> list[Target]:
    return [
        Target(
            stem,
            panel["title"],
            # Without what stands there for nothing.
            filled(target["expr"].removesuffix(OR_NOTHING), board),
            bool(target.get("instant")),
            target.get("legendFormat", ""),
        )
        for stem, board in found.items()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


def queries(found: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The dashboard, the name and the query of each variable that asks Prometheus."""
    return [
        (stem, variable["name"], filled(variable["query"]["query"], board))
        for stem, board in found.items()
        for variable in _variables(board)
        if variable["type"] == "query"
    ]


def filled(expr: str, board: dict[str, Any]) -> str:
    values = {found["name"]: found.get("allValue") or ".*" for found in _variables(board)}
    values |= {"__rate_interval": RATE_INTERVAL, "__interval": "5s", "__range": "5m"}
    # `$1` is a group of a regular expression.
    return re.sub(r"\$\{?([A-Za-z_]\w*)\}?", lambda match: values[match[1]], expr)


def _variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board["templating"]["list"]
    return found
