"""Figures that tests measure, kept in the reports so that `pytest -n` collects them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# The properties of a report.
MEASURED = "measured"
DELAY = "delay"

ReportFigure = Callable[[str], None]

# A line of the table of delays.
DELAYS = "{:26} {:29} {:22} {:>6} {:>6} {:>6}   {:>6}"
AIM_SECONDS = 5


def show(reporter: pytest.TerminalReporter) -> None:
    """Print the measured figures at the end of the run, also where every test passed."""
    if lines := _values(reporter, MEASURED):
        reporter.section("measured")
        for line in lines:
            reporter.write_line(line)
    if lines := _values(reporter, DELAY):
        reporter.section("from fault to message, in seconds")
        reporter.write_line(
            "floor: scrape interval + for + evaluation interval + group_wait; the aim is at most "
            f"{AIM_SECONDS} above it. over: from the repair to the message that it is resolved"
        )
        reporter.write_line(
            DELAYS.format("fault", "alert", "receiver", "floor", "took", "above", "over")
        )
        for line in lines:
            reporter.write_line(line)


def _values(reporter: pytest.TerminalReporter, name: str) -> list[str]:
    return [
        str(value)
        for reports in reporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
        if key == name
    ]
