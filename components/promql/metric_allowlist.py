"""Allowlist of stored metrics, for a stack with `keepOnlyWhatIsRead`: those that a rule or a
dashboard reads.

docs/decisions/0008-only-what-is-read-is-stored.md says why one list serves every job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator

from components.promql.dashboard_metrics import read_by_dashboard
from components.promql.metrics import UnknownMetricsError, check_pattern
from components.promql.rule_metrics import RuleMetrics

# Prometheus adds these itself after relabelling.
_MADE_BY_PROMETHEUS: Final = re.compile(r"up|scrape_\w+|ALERTS|ALERTS_FOR_STATE")
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# `node_*`, as a shell would have it.
_GLOB: Final = re.compile(r"\w\*")
# Matches zero newlines, since RE2 cannot ignore white space: each entry is on its own line, so
# that an added entry is one added line. The first one is never removed.
_NEXT_LINE: Final = "\n{0}|"
_FIRST: Final = "up"


@dataclass(frozen=True)
class KeepList:
    """Allowlist of metrics.

    `entries` are regular expressions (RE2) that match whole names. `doubts` are queries whose
    metrics cannot be determined: with one of them, no allowlist is used and everything is stored.
    """

    entries: tuple[str, ...]
    doubts: tuple[str, ...] = ()

    @property
    def regex(self) -> str:
        """All entries, one per line, or nothing where everything is stored."""
        return _NEXT_LINE.join((_FIRST, *self.entries)) if self.entries and not self.doubts else ""

    @property
    def warning(self) -> str:
        """Warning about the doubts, or nothing."""
        if not self.doubts:
            return ""
        return "\n".join(
            (
                "Every scraped metric is stored, because it cannot be said which ones are read by:",
                *(f"  {doubt}" for doubt in self.doubts),
                "Name the metrics there, or set keepOnlyWhatIsRead to false to have it so.",
            )
        )


KEEP_ALL: Final = KeepList(())


def keep_list(
    rules: RuleMetrics,
    dashboards: Mapping[str, str],
    extra: Sequence[str] = (),
    *,
    native_histograms: bool = False,
) -> KeepList:
    """Return the allowlist of what rules, dashboards by name, and `extra` read.

    `extra` has names, which include the series of a histogram or summary, and regular expressions.
    A native histogram has the name of its buckets without their suffix.
    """
    doubts = list(rules.doubts)
    found = rules.reads
    for name, text in dashboards.items():
        try:
            found |= read_by_dashboard(text)
        except UnknownMetricsError as error:
            doubts.append(f"the dashboard {name}: {error}")
    # Only recorded names have a colon; a name without one may be scraped as well.
    recorded = {name for name in rules.recorded if ":" in name}
    names = {
        re.escape(name)
        for name in found.names - recorded
        if not _MADE_BY_PROMETHEUS.fullmatch(name)
    }
    if native_histograms:
        names |= {name.removesuffix("_bucket") for name in names if name.endswith("_bucket")}
    entries = names | {f"(?:{pattern})" for pattern in found.patterns} | set(map(series_of, extra))
    return KeepList(tuple(sorted(entries)), tuple(doubts))


def series_of(entry: str) -> str:
    """Return the regular expression of an entry; a name includes the series of a histogram."""
    return f"{entry}(_bucket|_count|_sum)?" if _NAME.fullmatch(entry) else f"(?:{entry})"


def _metric(text: str) -> str:
    _check_form(text)
    if _matches_everything(text):
        raise ValueError("matches every name: set keepOnlyWhatIsRead to false instead")
    return text


def written_metric(text: str) -> str:
    """Check the name, or the regular expression, of metrics to send. Raises ValueError."""
    _check_form(text)
    if _matches_everything(text):
        raise ValueError("matches every metric name, so it selects nothing")
    return text


def _check_form(text: str) -> None:
    if _NAME.fullmatch(text):
        return
    if "{" in text and "=" in text:
        raise ValueError("is a selector: the name alone decides what is stored")
    if _GLOB.search(text):
        raise ValueError("repeats the letter before its star; a regular expression has .* for that")
    try:
        check_pattern(text)
        re.compile(text)
    except (UnknownMetricsError, re.error):
        known = False
    else:
        known = bool(text) and not re.search(r"\s", text)
    if not known:
        raise ValueError(
            "is neither a metric's name nor a regular expression of names, such as pg_stat_.*"
        )


def _matches_everything(pattern: str) -> bool:
    return any(re.fullmatch(pattern, name) for name in ("", "any_name:at_all"))


KeptMetric = Annotated[str, AfterValidator(_metric)]
