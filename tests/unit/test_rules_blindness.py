"""The alerts on missing metrics, generated from what the other alerts read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.rules import blindness
from components.rules.blindness import EXEMPTIONS, JOBS, Job
from components.rules.rule_set import shipped_files

TEXTS = {name: text for name, text in shipped_files().items() if name != blindness.RULE_FILE}
READS = blindness.read_metrics(TEXTS)
ALL = set().union(*READS.values())
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "alert-coverage.md"


def test_the_rule_file_is_the_one_that_the_other_rules_give() -> None:
    """If this fails, run `python -m components.rules.blindness`."""
    written = shipped_files()[blindness.RULE_FILE]
    assert written == blindness.rendered(TEXTS)


@pytest.mark.parametrize("metric", EXEMPTIONS)
def test_an_exemption_is_of_a_metric_that_a_rule_reads_and_has_a_reason(metric: str) -> None:
    assert metric in ALL
    assert EXEMPTIONS[metric].strip()


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_required_metric_is_one_that_a_rule_reads_and_is_not_exempt(job: Job) -> None:
    assert set(job.required) <= set(blindness.needed(job, READS))


def test_every_metric_that_a_rule_reads_is_watched_or_exempt() -> None:
    watched = {metric for job in JOBS for metric in blindness.needed(job, READS)}
    # Of every job, or of parts that only some stacks have; TargetDown is about those, and
    # ContainersUnseen about cAdvisor.
    others = {"up", "ALERTS"}
    prefixes = (
        "process_", "scrape_", "thanos_", "probe_", "container_", "vitalstream_",
    )  # fmt: skip
    left = {
        metric
        for metric in ALL - watched - set(EXEMPTIONS) - others
        if not metric.startswith(prefixes)
    }
    assert left == set()


def test_a_metric_of_a_new_rule_is_watched() -> None:
    rule = {"record": "instance:new:max", "expr": "max by (instance) (redis_new_metric)"}
    text = yaml.safe_dump({"groups": [{"name": "new", "rules": [rule]}]})
    rendered = blindness.rendered({**TEXTS, "new.yml": text})
    assert '(redis_new_metric{job="redis",sentinel=""})' in rendered
    assert "redis_new_metric" not in blindness.rendered(TEXTS)


def test_a_recorded_metric_is_not_taken_for_one_that_is_scraped() -> None:
    assert not any(":" in metric for metric in ALL)


def test_the_page_lists_every_watched_metric_and_every_exemption() -> None:
    watched = {metric for job in JOBS for metric in blindness.needed(job, READS)}
    text = PAGE.read_text()
    assert [
        metric for metric in sorted(watched | set(EXEMPTIONS)) if f"`{metric}`" not in text
    ] == []
