"""The backend's error budgets, which are a part of the API dashboard."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import panels
from components.dashboards.panels import At, Face, Query
from components.dashboards.thresholds import AlertThresholds, line_at

# The pairs of windows of rules/slo.yml and the alert that watches each.
_WINDOWS = (("1h_5m", "Fast"), ("6h_30m", "Medium"), ("3d_6h", "Slow"))


def budget_panels(y: int, alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    """How fast the budgets of rules/slo.yml burn, in a band of 9 rows at row `y`."""
    return [
        _burn("Availability", "answered with a 5xx", At(0, y, 12, 9), alerts),
        _burn("Latency", "too slow", At(12, y, 12, 9), alerts),
    ]


def _burn(name: str, what: str, at: At, alerts: AlertThresholds) -> Builder[dashboard.Panel]:
    bounds = [alerts[f"{name}BudgetBurn{speed}"] for _, speed in _WINDOWS]
    fast, medium, slow = (f"{bound.value:g}" for bound in bounds)
    face = Face(
        title=f"{name} Budget Burn",
        description=(
            f"How many times faster than the objective allows requests are {what}, over two "
            "windows at once; 1 uses up the budget exactly in its period. "
            f"{name}BudgetBurnFast is critical above {fast} in 1h and 5m, Medium above {medium} in "
            f"6h and 30m; Slow warns above {slow} in 3d and 6h."
        ),
        at=at,
        unit="none",
        empty="Too little traffic to say",
    )
    queries = [
        Query(
            f"max(job:slo_{name.lower()}_burn:rate{window})",
            f"{window.replace('_', ' and ')} ({speed.lower()})",
        )
        for window, speed in _WINDOWS
    ]
    panel = panels.timeseries(face, *queries, bound=bounds[-1], legend_calcs=("lastNotNull", "max"))
    return panel.thresholds(line_at(*bounds))
