"""The panels that every dashboard is made of, with the habits they share.

Each function returns the SDK's own builder, so that a dashboard can go on with `.override_by_name`
and the like.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import piechart as piechart_builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, piechart, prometheus
from grafana_foundation_sdk.models import heatmap as heatmap_models

from components.dashboards.links import Link
from components.dashboards.thresholds import Threshold, first_red, line_at, plain

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

_ID_SPACE: Final = 1_000_000
_HEADROOM: Final = 1.2
# What no figure of ours can be, for "there is none".
_NOTHING: Final = -1
COLUMN_PIXELS = 55
"""The least width of a table's column."""
OR_NOTHING: Final = f" or on() vector({_NOTHING})"
NO_ANSWER: Final = "Prometheus gave no answer"
NO_REPORT: Final = "No report"

PanelBuilder = TypeVar("PanelBuilder", bound=Builder[dashboard.Panel])


@dataclass(frozen=True)
class GridPos:
    """A place on Grafana's grid: 24 columns, rows of 38 pixels with their gap."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Query:
    """An expression and the name of what it returns."""

    expr: str
    legend: str


@dataclass(frozen=True)
class PanelOptions:
    """What every panel has: name, meaning, place, unit and what to say when there is nothing.

    `description` says what the panel shows and what is bad. `empty` stands where Grafana would
    write "No data". `links` lead to the dashboard that says more, from the description and from
    each value; they carry the time range.
    """

    title: str
    description: str
    grid_pos: GridPos
    unit: str
    empty: str
    links: Sequence[Link] = ()

    @property
    def panel_id(self) -> int:
        """An id that follows from the title, so that another panel's coming changes no id."""
        return 1 + zlib.crc32(self.title.encode()) % _ID_SPACE


def _target(query: Query, position: int) -> prometheus_builders.Dataquery:
    return (
        prometheus_builders.Dataquery()
        .datasource(DATASOURCE)
        .ref_id(chr(ord("A") + position))
        .expr(query.expr)
        .legend_format(query.legend)
        .format(prometheus.PromQueryFormat.TIME_SERIES)
    )


def _apply_common(
    builder: PanelBuilder, options: PanelOptions, targets: Sequence[Builder[prometheus.Dataquery]]
) -> PanelBuilder:
    """Put on `builder` what all panels share; the SDK's builders have no common base for it."""
    panel = builder.build()
    panel.id_val = options.panel_id
    panel.title = options.title
    # Marks of links in the header would take the width of four letters each from the title.
    panel.description = "\n\n".join(
        [options.description, *(link.in_text() for link in options.links)]
    )
    panel.datasource = DATASOURCE
    panel.grid_pos = dashboard.GridPos(
        x=options.grid_pos.x, y=options.grid_pos.y, w=options.grid_pos.w, h=options.grid_pos.h
    )
    panel.targets = [target.build() for target in targets]
    panel.field_config = panel.field_config or dashboard.FieldConfigSource()
    defaults = panel.field_config.defaults or dashboard.FieldConfig()
    panel.field_config.defaults = defaults
    defaults.unit = options.unit
    defaults.no_value = options.empty
    defaults.links = [link.on_data() for link in options.links]
    return builder


def timeseries(
    options: PanelOptions,
    *queries: Query,
    bound: Threshold | None = None,
    legend_calcs: Sequence[str] = (),
    legend_placement: common.LegendPlacement = common.LegendPlacement.BOTTOM,
    stacked: bool = False,
) -> timeseries_builders.Panel:
    """Lines over time, from zero; the threshold of an alert is a dashed line, always in view.

    With `legend_calcs` (Grafana's reducers, such as `max`) the legend is a table of them.
    """
    legend = (
        common_builders.VizLegendOptions()
        .display_mode(
            common.LegendDisplayMode.TABLE if legend_calcs else common.LegendDisplayMode.LIST
        )
        .placement(legend_placement)
        .show_legend(True)
        .calcs(list(legend_calcs))
    )
    panel = (
        timeseries_builders.Panel()
        .min(0)
        # Stacked, the line of a share of nothing would lie on all others, red on a healthy day.
        .line_width(0 if stacked else 2)
        .fill_opacity(60 if stacked else 8)
        .show_points(common.VisibilityMode.AUTO)
        .legend(legend)
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .color_scheme(
            dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC)
        )
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if bound is not None:
        panel.thresholds(line_at(bound)).axis_soft_max(
            _HEADROOM * bound.value or 1
        ).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(
                common.GraphThresholdsStyleMode.DASHED
            )
        )
    targets = [_target(query, n).range() for n, query in enumerate(queries)]
    return _apply_common(panel, options, targets)


def stat(
    options: PanelOptions,
    *queries: Query,
    bound: dashboard_builders.ThresholdsConfig | None = None,
    sparkline: bool = True,
    missing: str | None = "red",
) -> stat_builders.Panel:
    """The value now in large figures, coloured by `bound`, over a sparkline of the time range.

    Where there is none now, the panel shows `options.empty` in the colour `missing`: red where that
    is a fault in itself, `text` where it is nothing bad. Grafana itself would go on to show the
    last value of the time range, for an hour, as if it were still so. With None it may: for queries
    that always have an answer. Where Prometheus gives none at all, the panel is red.
    """
    if missing is not None:
        queries = tuple(Query(f"({query.expr}){OR_NOTHING}", query.legend) for query in queries)
    thresholds = first_red(bound or plain("blue"))
    graph = common.BigValueGraphMode.AREA if sparkline else common.BigValueGraphMode.NONE
    panel = (
        stat_builders.Panel()
        .graph_mode(graph)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.AUTO)
        .reduce_options(_last_value())
        .thresholds(thresholds)
        .color_scheme(dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    )
    if missing is not None:
        none = dashboard.ValueMappingResult(text=options.empty, color=missing, index=0)
        # From 0 on, so that the sparkline of small figures is not pressed flat.
        panel.mappings([dashboard.ValueMap(options={str(_NOTHING): none})]).min(0)
    targets = [_target(query, n) for n, query in enumerate(queries)]
    for target in targets:
        if sparkline:
            target.range()
        else:
            target.instant()
    return _apply_common(panel, replace(options, empty=NO_ANSWER), targets)


def pie(options: PanelOptions, query: Query) -> piechart_builders.Panel:
    """The parts of a whole at the end of the time range, with a table of values."""
    panel = (
        piechart_builders.Panel()
        .pie_type(piechart.PieChartType.DONUT)
        .reduce_options(_last_value())
        .legend(
            piechart_builders.PieChartLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            # The shares are what the pie is for, and a phone has no room for a second column.
            .values([piechart.PieChartLegendValues.VALUE])
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
        .color_scheme(
            dashboard_builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC)
        )
    )
    return _apply_common(panel, options, [_target(query, 0).instant()])


def heatmap(options: PanelOptions, query: Query) -> heatmap_builders.Panel:
    """A histogram over time; `query` returns the rate of each bucket, with the legend `{{le}}`."""
    panel = (
        heatmap_builders.Panel()
        .calculate(False)
        .color(
            heatmap_builders.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .exponent(0.5)
            .steps(64)
        )
        .y_axis(heatmap_builders.YAxisConfig().unit(options.unit))
        .cell_values(heatmap_builders.CellValues().unit("reqps"))
        .tooltip(heatmap_builders.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE))
        .hide_legend()
    )
    target = _target(query, 0).range().format(prometheus.PromQueryFormat.HEATMAP)
    return _apply_common(panel, options, [target])


def table(
    options: PanelOptions,
    *columns: Query,
    keys: Mapping[str, str],
    sort_by: str,
    descending: bool = True,
) -> table_builders.Panel:
    """One row for each combination of labels, one column for each query, named by its legend.

    `keys` maps the labels to their columns' titles; the rows with most in column `sort_by` stand
    first, or last where not `descending`.
    """
    names = {f"Value #{chr(ord('A') + n)}": query.legend for n, query in enumerate(columns)}
    if len(columns) == 1:
        names = {"Value": columns[0].legend}
    panel = (
        table_builders.Panel()
        .show_header(True)
        .filterable(False)
        # Grafana's own 150 pushes the last columns out of a narrow panel.
        .min_width(COLUMN_PIXELS)
        .transformations(
            [
                dashboard.DataTransformerConfig(id_val="merge", options={}),
                dashboard.DataTransformerConfig(
                    id_val="organize",
                    options={
                        "excludeByName": {"Time": True},
                        "indexByName": {name: n for n, name in enumerate([*keys, *names])},
                        "renameByName": {**keys, **names},
                    },
                ),
            ]
        )
        .sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(descending)])
    )
    targets = [
        _target(query, n).instant().format(prometheus.PromQueryFormat.TABLE)
        for n, query in enumerate(columns)
    ]
    _apply_common(panel, options, targets)
    # A link here would make every cell one; a column gets its own with overrides.data_link.
    return panel.data_links([])


def _last_value() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("")
