"""Warnings of the user's own rules on jobs that nothing scrapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from components.prometheus.config import jobs_of_stack
from components.promql.metrics import UnknownMetricsError, unmet_job_matchers
from components.rules.rule_set import RuleSet
from components.settings.settings import Settings
from components.user_files.rules import target

_NAMED = 3


def warnings(settings: Settings, rules: RuleSet) -> Iterator[str]:
    """Yield a warning for each file and job; none where series of other stacks are federated."""
    if settings.federation:
        return
    files = {path: rules.parsed[target(path)] for path in settings.extra_rules}
    jobs = {*jobs_of_stack(settings), *(str(job["job_name"]) for job in settings.scrape_jobs)}
    # A recorded series may have a job of its own, or none.
    labelled = {str(rule.part("labels").get("job", "")) for f in files.values() for rule in f.rules}
    known = {"", *jobs, *labelled}
    for path, file in files.items():
        reading: dict[str, list[str]] = defaultdict(list)
        for rule in file.rules:
            try:
                found = unmet_job_matchers(str(rule.content.get("expr", "")), known)
            except UnknownMetricsError:
                continue  # promtool says what is wrong with it.
            for matcher in found:
                reading[matcher].append(str(rule.name("alert") or rule.name("record")))
        for matcher, names in sorted(reading.items()):
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield (
                f"vitalstream:extraRules: {path} reads {matcher} "
                f"({', '.join(names[:_NAMED])}{more}), and nothing scrapes such a job; there are "
                f"{', '.join(sorted(jobs))}. Change the rules, or add it to vitalstream:scrapeJobs"
            )
