"""The drill: a test alert to every receiver of a stack, through its live Alertmanager.

Whether it went out is read from Alertmanager's own counters. They count by integration (Slack,
mail, ...) and, unless asked to, not by receiver: so the receivers are tried one after the other.
"""

from ops.drill.alertmanager import DrillError
from ops.drill.command import run

__all__ = ["DrillError", "run"]
