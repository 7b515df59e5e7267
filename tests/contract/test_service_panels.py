"""Panels about a service: one value, whatever the number of instances."""

from __future__ import annotations

import pytest
import yaml

from components.promql.metrics import read_by
from tests import panels
from tests.contract.reading import Reader
from tests.contract.test_contract import BOARDS, JOBS, NEWEST, RECORDED, ROOT, _in_other_setups
from tests.panels import Target

JOB = "backend"
READER = Reader(
    {
        JOBS[service]: _in_other_setups(service) | found.series()
        for service, found in NEWEST.items()
    },
    RECORDED,
)
BY_PROCESS = {
    ("api", "Backend CPU"): "Which of them is busy.",
    ("api", "Backend Memory"): "Which of them grows.",
    ("api", "Backend Uptime"): "Which of them was restarted.",
    ("api", "WebSockets open"): "Which of them lost its clients.",
    ("api", "Requests by instance"): "Which of them gets the traffic.",
    ("api", "Errors by instance"): "Which of them fails.",
    ("api", "Response Time p95 by instance"): "Which of them is slow.",
    ("api", "Requests stuck"): "Which of them hangs.",
    ("api", "Database Pool Used"): "Each has a pool of its own.",
    ("api", "Restarts and File Descriptors"): "Which of them was restarted or leaks.",
    ("ecg", "Age of the newest vital sign"): "Which of them gets none.",
}
"""Panels that show each process, with their queries."""


def _recorded_of_the_service() -> set[str]:
    return {
        rule["record"]
        for file in ("backend.yml", "slo.yml")
        for group in yaml.safe_load((ROOT / "rules" / file).read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


# `process_...` and `up` are every job's.
SHARED = {"up"}.union(*(found for job, found in READER.jobs.items() if job != JOB))
OWN = _recorded_of_the_service() | (set(READER.jobs[JOB]) - SHARED)


def _is_about_the_service(target: Target) -> bool:
    return f'job="{JOB}"' in target.expr or bool(read_by(target.expr).names & OWN)


TARGETS = [found for found in panels.targets(BOARDS) if _is_about_the_service(found)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda found: f"{found.dashboard} {found.panel}")
def test_a_query_about_the_service_adds_its_instances_up(target: Target) -> None:
    labels = READER.read(target.expr)
    assert labels is not None
    by_instance = "instance" in labels
    assert by_instance is ((target.dashboard, target.panel) in BY_PROCESS)


def test_most_panels_of_the_service_are_looked_at() -> None:
    found = {target.dashboard for target in TARGETS}
    assert {"overview", "api", "ecg"} <= found
    assert set(BY_PROCESS) <= {(target.dashboard, target.panel) for target in TARGETS}
