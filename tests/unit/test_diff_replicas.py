"""Reports of changes to a service with several replicas."""

from __future__ import annotations

from typing import Any

import pytest

from ops.review.diff.report import Section
from tests.unit import diff_stacks as stacks
from tests.unit.conftest import SECRETS

PAIRS: dict[str, Any] = {
    "prometheus": {"replicas": 2},
    "alertmanager": {"replicas": 3},
    "grafana": {"replicas": 2, "database": {"address": "db.example.com:5432"}},
    "grafanaDatabasePassword": SECRETS["grafanaDatabasePassword"],
}


@pytest.fixture(scope="module")
def retention() -> str:
    """Another retention of a pair."""
    before = stacks.with_settings("prod", **PAIRS)
    after = stacks.with_settings("prod", **PAIRS, retentionTime="40d")
    return stacks.printed(stacks.report(before, after), Section.INTERRUPTIONS)


@pytest.fixture(scope="module")
def grown() -> str:
    """Return the report of a stack that gets replicas of every service."""
    report = stacks.report(stacks.with_settings("prod"), stacks.with_settings("prod", **PAIRS))
    return stacks.printed(report)


@pytest.mark.parametrize(
    ("replaced", "other"), [("prometheus", "prometheus-2"), ("prometheus-2", "prometheus")]
)
def test_replaced_replica_interrupts_nothing(retention: str, replaced: str, other: str) -> None:
    assert f"NOTE container {replaced} is replaced" in retention
    assert f"meanwhile {other} goes on" in retention
    assert "nothing is scraped" not in retention


def test_replaced_first_replica_with_new_others_interrupts(grown: str) -> None:
    assert "INTERRUPTS container alertmanager is replaced" in grown
    assert "container alertmanager-2 added" in grown


def test_added_replicas_keep_every_volume(grown: str) -> None:
    assert "DANGER" not in grown
