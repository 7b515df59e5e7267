"""The jobs of `scrapeJobs` as series that `rules/` alert on: their targets and metrics."""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.promql.metrics import UnknownMetricsError, read_of_job
from components.rules.rule_set import RuleSet
from components.rules.selection import SCRAPE_JOBS_FILE

_NOTHING = r"(?P<before>record: {}\n +expr: )vector\(0\) < 0"
TARGETS = "job:scrape_targets:count"
METRICS = "instance_metric:scrape_job_metrics_present:bool"


def apply(rules: RuleSet, jobs: Sequence[str], own: RuleSet) -> RuleSet:
    """Return the rules with the jobs, and with the metrics of theirs that the user's rules read.

    Raises ValueError where the file has not exactly one place for each.
    """
    if not jobs:
        return rules
    filled = {
        TARGETS: [
            f'label_replace(count(up{{job="{job}"}}) or vector(0), "job", "{job}", "", "")'
            for job in jobs
        ],
        METRICS: [
            f'label_replace(group by (job, instance) ({metric}{{job="{job}"}}), "metric", '
            f'"{metric}", "", "")'
            for job in jobs
            for metric in read_from(job, own)
        ],
    }

    def with_series(text: str) -> str:
        for record, series in filled.items():
            expression = " or ".join(series)
            if not expression:
                continue
            text, places = re.subn(
                _NOTHING.format(record), rf"\g<before>{_literal(expression)}", text
            )
            if places != 1:
                raise ValueError(f"rules/{SCRAPE_JOBS_FILE} has {places} places for {record}")
        return text

    return rules.rewritten(SCRAPE_JOBS_FILE, with_series)


def read_from(job: str, own: RuleSet) -> list[str]:
    """Return the metrics that rules read and a job may expose, without those that are recorded."""
    found: set[str] = set()
    for file in own.parsed.values():
        for rule in file.rules:
            try:
                found |= read_of_job(str(rule.content.get("expr", "")), job)
            except UnknownMetricsError:
                continue  # promtool, or the warning on the list of metrics, reports it.
    return sorted(found - own.metrics_read.recorded - {"up", "ALERTS", "ALERTS_FOR_STATE"})


def _literal(text: str) -> str:
    return text.replace("\\", r"\\")
