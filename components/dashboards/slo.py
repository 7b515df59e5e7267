"""The backend's error budgets, which are a part of the API dashboard."""

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from components.dashboards import panels
from components.dashboards.panels import GridPos, PanelOptions, Query
from components.dashboards.thresholds import AlertThresholds, line_at

# The pairs of windows of rules/slo.yml.
_WINDOWS = ("1h_5m", "6h_30m", "3d_6h")
_SPEEDS = ("Fast", "Slow")


def budget_panels(y: int, alerts: AlertThresholds) -> Sequence[Builder[dashboard.Panel]]:
    """How fast the budgets of rules/slo.yml burn, and what is left, in a band of 9 rows at `y`."""
    return [
        _burn("Availability", "answered with a 5xx", GridPos(0, y, 9, 9), alerts),
        _burn("Latency", "too slow", GridPos(9, y, 9, 9), alerts),
        _left(GridPos(18, y, 6, 9)),
    ]


def _left(grid_pos: GridPos) -> Builder[dashboard.Panel]:
    options = PanelOptions(
        title="Budget Left (3 days)",
        description=(
            "What is left of the error budget of the last 3 days, over all backends: 100% is no "
            "bad request, 0% or less as many as the objective allows."
        ),
        grid_pos=grid_pos,
        unit="percent",
        empty="No traffic",
    )
    queries = [
        Query(
            f"min(100 * (1 - job:slo_{name}_bad:ratio_rate3d "
            "/ on () group_left () (1 - slo:objective:ratio)))",
            name,
        )
        for name in ("availability", "latency")
    ]
    return panels.timeseries(options, *queries, legend_calcs=("lastNotNull",)).max(100)


def _burn(
    name: str, what: str, grid_pos: GridPos, alerts: AlertThresholds
) -> Builder[dashboard.Panel]:
    fast, slow = bounds = [alerts[f"{name}BudgetBurn{speed}"] for speed in _SPEEDS]
    options = PanelOptions(
        title=f"{name} Budget Burn",
        description=(
            f"How many times faster than the objective allows requests to all backends are {what}, "
            "over two windows at once; 1 uses up the budget exactly in its period. "
            f"{name}BudgetBurnFast is critical above {fast.value:g} in 6h and 30m, or above 14.4 "
            f"in 1h and 5m; Slow warns above {slow.value:g} in 3d and 6h."
        ),
        grid_pos=grid_pos,
        unit="none",
        empty="Too little traffic to say",
    )
    queries = [
        Query(
            f"max(job:slo_{name.lower()}_burn:rate{window})",
            window.replace("_", " and "),
        )
        for window in _WINDOWS
    ]
    panel = panels.timeseries(options, *queries, bound=slow, legend_calcs=("lastNotNull", "max"))
    return panel.thresholds(line_at(*bounds))
