"""Effects of a stack's own values for alerts on panels and on the warnings of a preview."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest


def test_a_threshold_moves_the_panels_too(run_program: Callable[..., Any]) -> None:
    view = run_program("dev", alerts={"HighCPUUsage": {"threshold": 65.5}})
    board = json.loads(view.inputs("Dashboard")["overview"]["configJson"])
    cpu = next(panel for panel in board["panels"] if panel["title"] == "CPU Usage")
    steps = cpu["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps if step["value"] is not None] == [65.5]


def _colours(run_program: Callable[..., Any], **override: Any) -> list[str]:
    view = run_program("dev", alerts={"HighErrorRate": override})
    board = json.loads(view.inputs("Dashboard")["overview"]["configJson"])
    panel = next(found for found in board["panels"] if found["title"] == "Error Rate (5xx %)")
    return [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


@pytest.mark.parametrize(
    ("override", "colour"),
    [
        ({}, "red"),
        ({"severity": "warning"}, "orange"),
        ({"enabled": False}, "#808080"),
        ({"severity": "warning", "enabled": False}, "#808080"),
    ],
    ids=json.dumps,
)
def test_a_panel_shows_its_alerts_bound_in_the_colour_of_what_happens_there(
    override: dict[str, Any], colour: str, run_program: Callable[..., Any]
) -> None:
    assert _colours(run_program, **override) == ["green", colour]


def test_a_preview_reminds_of_every_alert_that_is_disabled(
    run_program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    off = {"BackendDown": {"enabled": False, "reason": "moved"}, "RedisDown": {"enabled": False}}
    run_program("dev", alerts={**off, "HighErrorRate": {"threshold": 3}})
    assert warned[-1] == (
        "2 alerts are disabled and will not notify: BackendDown (moved); RedisDown (no reason is "
        "given)"
    )


def test_a_preview_reminds_of_nothing_where_no_alert_is_disabled(
    run_program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    run_program("dev", alerts={"HighErrorRate": {"threshold": 3}})
    assert [words for words in warned if "disabled" in words] == []
