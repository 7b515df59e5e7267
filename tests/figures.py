"""Figures that tests measure. They go with the reports, which `pytest -n` brings together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# The properties of a report.
MEASURED = "measured"
DELAY = "delay"

Tell = Callable[[str], None]

# A line of the table of delays.
DELAYS = "{:26} {:29} {:22} {:>6} {:>6} {:>6}   {:>6}"
AIM_SECONDS = 5


def show(reporter: pytest.TerminalReporter) -> None:
    """At the end of the run, also where every test passed."""
    if lines := _said(reporter, MEASURED):
        reporter.section("measured")
        for line in lines:
            reporter.write_line(line)
    if lines := _said(reporter, DELAY):
        reporter.section("from fault to message, in seconds")
        reporter.write_line(
            "floor: scrape interval + for + evaluation interval + group_wait; the aim is at most "
            f"{AIM_SECONDS} above it. over: from the mending to the message of it"
        )
        reporter.write_line(
            DELAYS.format("fault", "alert", "told", "floor", "took", "above", "over")
        )
        for line in lines:
            reporter.write_line(line)


def _said(reporter: pytest.TerminalReporter, name: str) -> list[str]:
    return [
        str(value)
        for reports in reporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
        if key == name
    ]
