"""Scrape intervals at which a single lost scrape would fire an alert.

Such an interval is refused, and no `for` is lengthened on its own: some of the alerts are promised
with theirs, and one that follows another setting would be found neither in the rule nor in its
runbook. A `for` that the stack sets itself is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from components.catalog.monitored import Monitored
from components.common.problems import Problem
from components.common.quantities import duration_seconds
from components.rules import selection
from components.rules.overrides import AlertOverride
from components.rules.rule_set import RuleSet

# Whether a target answered the last scrape, as rules/*.yml record it: `instance:pg_up:min == 0`.
_OF_LAST_SCRAPE: Final = re.compile(r"_up:min\b.*== 0$", re.DOTALL)


def problems(
    stack: str,
    interval: str,
    monitored: Sequence[Monitored],
    overrides: Mapping[str, AlertOverride],
) -> list[Problem]:
    """Return the problem of an interval of which some alert's `for` spans less than two."""
    seconds = duration_seconds(interval)
    rules = RuleSet.shipped()
    files = selection.select(rules.files, monitored)
    waits = {
        alert.name: duration_seconds(alert.for_)
        for alert in rules.alerts.values()
        if alert.file in files
        and _OF_LAST_SCRAPE.search(alert.expr)
        and (own := overrides.get(alert.name, AlertOverride())).enabled
        and own.delay is None
    }
    short = [name for name, wait in waits.items() if wait < 2 * seconds]
    if not short:
        return []
    text = (
        f"is so long that one lost scrape fires {', '.join(short)}: each waits less than two of it"
    )
    longest = min(waits.values()) / 2
    fix = (
        f"pulumi config set scrapeInterval {longest:g}s --stack {stack}, or for each of them "
        f"pulumi config set --path 'alerts.{short[0]}.for' {2 * seconds:g}s --stack {stack}"
    )
    return [Problem((), text, fix, setting="scrape_interval")]
