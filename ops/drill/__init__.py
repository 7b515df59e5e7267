"""Drill: a test alert to every receiver of a stack, through its live Alertmanager.

Deliveries are read from Alertmanager's counters. By default these count by integration (Slack,
mail, ...) and not by receiver, so the receivers are tested sequentially.
"""

from ops.drill.alertmanager import DrillError
from ops.drill.command import run

__all__ = ["DrillError", "run"]
