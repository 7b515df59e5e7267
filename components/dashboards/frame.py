"""What is around the panels of every dashboard: times, variables, annotations, links, the JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard, prometheus

from components.dashboards.links import UID_PREFIX
from components.dashboards.panels import DATASOURCE
from components.dashboards.settings import DashboardSettings
from components.rules import federation_labels

TAG: Final = "vitalstream"
OVERVIEW: Final = "overview"
OVERVIEW_TITLE: Final = "VitalStream Overview"
STACKS: Final = "stacks"
STACKS_TITLE: Final = "VitalStream Stacks"

# The data source that the stack makes. Grafana falls back to the text, then to its default source.
_DATASOURCE_UID: Final = "vitalstream-prometheus"
_DATASOURCE_NAME: Final = "Prometheus"

_REFRESH_INTERVALS: Final = ("30s", "1m", "5m", "15m", "1h")
_LINK_KEYS: Final = ("title", "url", "targetBlank")


@dataclass(frozen=True)
class Variable:
    """A template variable: the values that `label` has on `series`, several at once, or all.

    Links hand variables on by name, so a name means the same on every dashboard: the instance of
    an exporter of PostgreSQL would empty the dashboard of Redis.
    """

    name: str
    title: str
    series: str
    label: str


@dataclass(frozen=True)
class DashboardSpec:
    """One dashboard before it is rendered; `stem` names its file and, prefixed, its uid.

    On a stack that federates others, its queries are narrowed to the stack's own series unless it
    is `of_all_stacks`.
    """

    stem: str
    title: str
    description: str
    panels: Sequence[Builder[dashboard.Panel]]
    variables: Sequence[Variable] = ()
    of_all_stacks: bool = False


def render(spec: DashboardSpec, settings: DashboardSettings) -> str:
    """Return the spec as classic dashboard JSON.

    The same text for the same arguments, without what Grafana itself counts (`id`, `version`,
    `iteration`). Raises ValueError where two panels have the same id, that is the same title.
    """
    narrowed = settings.federates and not spec.of_all_stacks
    built = (
        builders.Dashboard(spec.title)
        .uid(UID_PREFIX + spec.stem)
        .description(spec.description)
        .tags([TAG, settings.stack])
        .timezone("browser")
        .editable()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .timepicker(_time_picker(settings))
        .refresh("30s")
        .variables(
            [_datasource_variable(), *(_query_variable(v, narrowed) for v in spec.variables)]
        )
        .annotations([_firing_alerts(), *([_deployments()] if "backend" in settings.watch else [])])
        .links(_links(spec.stem, settings))
    )
    taken: dict[int, str] = {}
    for panel_builder in spec.panels:
        panel = panel_builder.build()
        assert panel.id_val is not None
        assert panel.title is not None
        if panel.id_val in taken:
            raise ValueError(
                f"{spec.title}: the panels {taken[panel.id_val]!r} and {panel.title!r} have the "
                f"same id; change one of the titles"
            )
        taken[panel.id_val] = panel.title
        panel.interval = settings.scrape_interval
        if narrowed:
            for target in panel.targets or ():
                assert isinstance(target, prometheus.Dataquery)
                target.expr = federation_labels.of_expression(target.expr)
        built.with_panel(panel_builder)
    content = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    _trim_links(content)
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _time_picker(settings: DashboardSettings) -> builders.TimePicker:
    return (
        builders.TimePicker()
        .refresh_intervals(list(_REFRESH_INTERVALS))
        .quick_ranges(
            [
                builders.TimeOption().from_val(f"now-{r.start}").to("now").display(r.display)
                for r in settings.quick_ranges
            ]
        )
    )


def _datasource_variable() -> builders.DatasourceVariable:
    return (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(
            dashboard.VariableOption(selected=True, text=_DATASOURCE_NAME, value=_DATASOURCE_UID)
        )
    )


def _query_variable(variable: Variable, narrowed: bool) -> builders.QueryVariable:
    series = federation_labels.of_expression(variable.series) if narrowed else variable.series
    query = f"label_values({series}, {variable.label})"
    return (
        builders.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(DATASOURCE)
        .definition(query)
        .query({"query": query, "refId": variable.name})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # A matcher of its own: the list of all values would make a long URL and a slow regex.
        .all_value(".*")
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _annotation(name: str, expr: str, colour: str) -> builders.AnnotationQuery:
    target = (
        prometheus_builders.Dataquery()
        .datasource(DATASOURCE)
        .expr(expr)
        .range()
        .ref_id("Annotation")
    )
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(colour)
        .target(target)
    )


def _firing_alerts() -> builders.AnnotationQuery:
    return (
        _annotation("Firing alerts", 'ALERTS{alertstate="firing", severity!="none"}', "red")
        .title_format("{{alertname}}")
        .text_format("{{instance}}")
        .tag_keys("severity,service")
    )


def _deployments() -> builders.AnnotationQuery:
    # The value is a time, that of the start: one mark for each start, exact to the second, also
    # where the new process has another instance label or the scrapes had a gap.
    expr = '1000 * max by (instance) (process_start_time_seconds{job="backend"})'
    return (
        _annotation("Deployments", expr, "blue")
        .title_format("Backend started")
        .text_format("{{instance}}")
        .use_value_for_time(True)
    )


def _links(stem: str, settings: DashboardSettings) -> list[Builder[dashboard.DashboardLink]]:
    found: list[Builder[dashboard.DashboardLink]] = []
    # Where nothing is watched, there is nothing to look over but the stacks.
    home, title = (OVERVIEW, OVERVIEW_TITLE) if settings.watch else (STACKS, STACKS_TITLE)
    if stem != home:
        found.append(
            builders.DashboardLink(title)
            .type(dashboard.DashboardLinkType.LINK)
            .icon("dashboard")
            .tooltip("Back to the overview, with the time range kept")
            .url(f"/d/{UID_PREFIX}{home}")
            .keep_time(True)
            .include_vars(True)
        )
    found.append(
        builders.DashboardLink("Dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
    )
    return found


def _trim_links(content: dict[str, Any]) -> None:
    """Take out what the SDK writes into every kind of link and only a dashboard's link has.

    It also puts links and annotations inside a menu, where nobody sees the way back.
    """
    for control in (*content["links"], *content["annotations"]["list"]):
        control.pop("placement", None)
    for panel in content["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        defaults["links"] = list(_trimmed(defaults["links"]))


def _trimmed(links: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return ({key: link[key] for key in _LINK_KEYS} for link in links)
