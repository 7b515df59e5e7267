"""Figures that tests measure, kept with their reports: `pytest -n` has each in another process."""

from __future__ import annotations

from collections.abc import Callable

# The properties of a test's report that are shown at the end of the run.
MEASURED = "measured"
DELAY = "delay"

Tell = Callable[[str], None]
