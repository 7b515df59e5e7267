"""No incident goes unseen and no harmless event pages: each in a healthy world, by promtool."""

from __future__ import annotations

import pytest

from tests.each import for_each
from tests.rules import incidents
from tests.rules.incidents import Alert, Case

CASES = [
    case for name in ("given", "more") for case in incidents.load(incidents.FOLDER / f"{name}.yml")
]
SERIES_OF_A_HEALTHY_WORLD = 90


@pytest.fixture(scope="module")
def fired(promtool: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Alert]]:
    return incidents.firing(promtool, CASES, tmp_path_factory.mktemp("incidents"))


@for_each("case", CASES, lambda case: case.name)
def test_an_incident_is_seen_and_a_harmless_event_is_not(
    case: Case, fired: dict[str, set[Alert]]
) -> None:
    assert incidents.unseen(case, fired) == ""


@for_each("case", CASES, lambda case: case.name)
def test_a_healthy_world_has_no_alert_but_the_watchdog(
    case: Case, fired: dict[str, set[Alert]]
) -> None:
    assert {alert["alertname"] for alert in incidents.healthy(case, fired)} <= {"Watchdog"}


def test_the_healthy_world_has_every_job_and_enough_series() -> None:
    assert len(incidents.WORLD) >= SERIES_OF_A_HEALTHY_WORLD


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
