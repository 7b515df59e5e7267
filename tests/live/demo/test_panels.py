"""Every panel has something to show while the demo runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components.catalog.monitored import DEFAULT_MONITORED
from tests.live.stack import DEMO_SCRAPE_SECONDS, Stack, eventually
from tests.panels import Target, boards, queries, targets

# What is rare in the demo's traffic comes within this, after the stack is up.
SETTLING_SECONDS = 75
EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yml").read_text())
BOARDS = boards(f"{DEMO_SCRAPE_SECONDS}s", DEFAULT_MONITORED)
TARGETS = targets(BOARDS)
QUERIES = queries(BOARDS)


def exemption(target: Target) -> str | None:
    return next(
        (
            entry["reason"]
            for entry in EXEMPTIONS
            if entry["dashboard"] == target.dashboard and entry["expr"] in target.expr
        ),
        None,
    )


@pytest.fixture(scope="module")
def remaining(live: Stack) -> Callable[[], float]:
    """The seconds that the demo still has to show something."""
    deadline = time.monotonic() + SETTLING_SECONDS
    return lambda: deadline - time.monotonic()


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS if not exemption(target)],
    ids=lambda target: f"{target.dashboard}: {target.panel}",
)
def test_a_panel_shows_something(
    live: Stack, remaining: Callable[[], float], target: Target
) -> None:
    if 'job="grafana"' in target.expr and "grafana" not in live.result.urls:
        pytest.skip("Grafana is left out: no image of it is available")
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
