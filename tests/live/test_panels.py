"""Every panel has something to show while the demo runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.dashboards import DashboardSettings, render_all
from components.dashboards.panels import OR_NOTHING
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually

DAY = 86400
# Grafana's figure at the default scrape interval of 15 s: four of them.
RATE_INTERVAL = "1m"
# What is rare in the demo's traffic comes within this, after the stack is up.
SETTLING_SECONDS = 75
EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yml").read_text())
RENDERED = render_all(
    DashboardSettings(stack="live", retention_seconds=7 * DAY, scrape_interval=f"{SCRAPE_SECONDS}s")
)
BOARDS: dict[str, dict[str, Any]] = {stem: json.loads(text) for stem, text in RENDERED.items()}


@dataclass(frozen=True)
class Target:
    """One query of a panel; its variables stand for everything they can choose."""

    dashboard: str
    panel: str
    expr: str
    instant: bool

    @property
    def exemption(self) -> str | None:
        return next(
            (
                entry["reason"]
                for entry in EXEMPTIONS
                if entry["dashboard"] == self.dashboard and entry["expr"] in self.expr
            ),
            None,
        )


def variables(board: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board["templating"]["list"]
    return found


def filled(expr: str, board: dict[str, Any]) -> str:
    values = {found["name"]: found.get("allValue") or ".*" for found in variables(board)}
    values |= {"__rate_interval": RATE_INTERVAL, "__interval": "5s", "__range": "5m"}
    # `$1` is a group of a regular expression.
    return re.sub(r"\$\{?([A-Za-z_]\w*)\}?", lambda match: values[match[1]], expr)


TARGETS = [
    Target(
        stem,
        panel["title"],
        # Without what stands there for nothing.
        filled(target["expr"].removesuffix(OR_NOTHING), board),
        bool(target.get("instant")),
    )
    for stem, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]
QUERIES = [
    (stem, variable["name"], filled(variable["query"]["query"], board))
    for stem, board in BOARDS.items()
    for variable in variables(board)
    if variable["type"] == "query"
]


@pytest.fixture(scope="module")
def remaining(live: Stack) -> Callable[[], float]:
    """The seconds that the demo still has to show something."""
    deadline = time.monotonic() + SETTLING_SECONDS
    return lambda: deadline - time.monotonic()


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS if not target.exemption],
    ids=lambda target: f"{target.dashboard}: {target.panel}",
)
def test_a_panel_shows_something(
    live: Stack, remaining: Callable[[], float], target: Target
) -> None:
    if 'job="grafana"' in target.expr and "grafana" not in live.result.urls:
        pytest.skip("Grafana is left out: there is no image of it here")
    assert eventually(lambda: live.numbers(target.expr, instant=target.instant), remaining()), (
        f"nothing to draw for: {target.expr}"
    )


@pytest.mark.parametrize(
    ("dashboard", "variable", "query"),
    QUERIES,
    ids=[f"{stem}: {name}" for stem, name, _ in QUERIES],
)
def test_a_variable_offers_something(
    live: Stack, remaining: Callable[[], float], dashboard: str, variable: str, query: str
) -> None:
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match, f"{variable} of {dashboard} is no label_values(): {query}"
    path = f"label/{match[2]}/values"
    assert eventually(lambda: live.ask(path, **{"match[]": match[1]}), remaining())


@pytest.mark.parametrize("entry", EXEMPTIONS, ids=lambda entry: entry["expr"])
def test_an_exemption_is_of_one_expression(entry: dict[str, str]) -> None:
    found = [
        target.expr
        for target in TARGETS
        if target.dashboard == entry["dashboard"] and entry["expr"] in target.expr
    ]
    assert len(found) == 1
