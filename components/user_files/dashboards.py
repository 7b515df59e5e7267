"""The user's own dashboards, provisioned beside those of `components/dashboards/`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.common.problems import Problem
from components.user_files import paths
from components.user_files.paths import PROJECT_DIR, ProjectFileError

DATA_SOURCE_UID = "vitalstream-prometheus"
RESERVED_PREFIX = "vitalstream-"
"""Of the uids of our dashboards, those to come included."""

# What Grafana takes.
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
# What Grafana counts itself, and what describes an export and not the dashboard.
_DROPPED = ("id", "version", "iteration", "__inputs", "__requires", "__elements")
# By the plugin that an export asks for; the second is Grafana's own, for expressions.
_DATA_SOURCES = {"prometheus": DATA_SOURCE_UID, "__expr__": "__expr__"}
# By uid or by the name that older panels have; the rest are Grafana's own.
_DATA_SOURCES_HERE = frozenset(
    {DATA_SOURCE_UID, "Prometheus", "__expr__", "grafana", "default"}
    | {f"-- {name} --" for name in ("Grafana", "Dashboard", "Mixed")}
)
# What Grafana has without a plugin, the old ones that it turns into new ones included.
_PANELS = frozenset(
    {
        "alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist",
        "datagrid", "flamegraph", "gauge", "geomap", "graph", "heatmap", "histogram", "logs",
        "news", "nodeGraph", "piechart", "row", "singlestat", "stat", "state-timeline",
        "status-history", "table", "table-old", "text", "timeseries", "traces", "trend", "welcome",
        "xychart",
    }
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


Sources = Mapping[str, str]
"""Types of the further data sources, by uid: `grafana.dataSources`."""
_NO_SOURCES: Sources = MappingProxyType({})


def load(
    folder: str, project: Path = PROJECT_DIR, sources: Sources = _NO_SOURCES
) -> dict[str, str]:
    """Return the JSON of each dashboard in the folder by its uid; none without a folder.

    The folder is relative to the project and has no faults. The result is the same text for the
    same content, without the fields that Grafana counts; the data source that an export names is
    filled in.
    """
    if not folder:
        return {}
    boards = [_dashboard(path, sources) for path in _files(project / folder)]
    return {
        board["uid"]: json.dumps(board, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        for board in sorted(boards, key=lambda board: str(board["uid"]))
    }


def problems(
    folder: str, project: Path = PROJECT_DIR, sources: Sources = _NO_SOURCES
) -> list[Problem]:
    """Return the problems of the folder and the files in it."""
    if not folder:
        return []
    try:
        files = _files(_existing(folder, project))
    except ProjectFileError as error:
        return [Problem((), str(error))]
    found: list[Problem] = []
    taken: dict[tuple[str, str], str] = {}
    for path in files:
        try:
            problems = [*_problems(_dashboard(path, sources), path, taken)]
        except ProjectFileError as error:
            problems = [str(error)]
        fix = f"edit {folder.rstrip('/')}/{path.name}"
        found += [Problem((), f"{path.name} {problem}", fix) for problem in problems]
    return found


def warnings(
    folder: str,
    project: Path = PROJECT_DIR,
    sources: Sources = _NO_SOURCES,
    plugins: Collection[str] = (),
) -> Iterator[str]:
    """Yield what Grafana will say of dashboards that are valid: data sources and plugins that are
    not there.
    """
    for path in _files(project / folder) if folder else []:
        board = _dashboard(path, sources)
        named = {uid for uid in _data_sources(board) if not uid.startswith("$")}
        if missing := sorted(named - _DATA_SOURCES_HERE - {*sources}):
            yield (
                f"{path.name} reads the data source {', '.join(missing)}, which is not here, so "
                f'its panels stay empty: write "uid": "{DATA_SOURCE_UID}", or make it a variable'
            )
        if missing := sorted({*_panel_types(board)} - _PANELS - {*plugins}):
            yield (
                f"{path.name} has panels of the type {', '.join(missing)}, for which Grafana needs "
                "a plugin that is not installed: choose another type, or name it in grafana.plugins"
            )


def _existing(folder: str, project: Path) -> Path:
    path = paths.resolved(folder, project)
    if not path.exists():
        raise ProjectFileError(f"is not there; looked for in {project}, the folder of Pulumi.yaml")
    if not path.is_dir():
        raise ProjectFileError("is a file: name the folder that it is in")
    if deeper := sorted(found.relative_to(path) for found in path.glob("*/**/*.json")):
        raise ProjectFileError(
            f"has {deeper[0]} in a folder of its own, where it is not looked for: move it up"
        )
    if not _files(path):
        raise ProjectFileError("has no .json file in it: put one there, or take the setting out")
    return path


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _dashboard(path: Path, sources: Sources) -> dict[str, Any]:
    try:
        content = json.loads(paths.text_of(path, "utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ProjectFileError(f"is not JSON: {error.msg} in line {error.lineno}") from None
    if not isinstance(content, dict):
        raise ProjectFileError("is not a dashboard: it is not a JSON object")
    if isinstance(content.get("dashboard"), dict):
        # As Grafana's API answers, and takes it.
        content = content["dashboard"]
    if "apiVersion" in content or "elements" in content:
        raise ProjectFileError(
            "is written for Grafana's newer API: export it again as the classic JSON model"
        )
    if any(not isinstance(entry, dict) for entry in content.get("__inputs") or []):
        raise ProjectFileError("is not a dashboard: its __inputs are not a list of objects")
    if content.get("__elements"):
        raise ProjectFileError(
            "needs library panels, which are not in it: unlink them and export again"
        )
    filled = _filled(content, _inputs(content, sources))
    return {key: value for key, value in filled.items() if key not in _DROPPED}


def _inputs(board: dict[str, Any], sources: Sources) -> dict[str, str]:
    """Return the values of the placeholders that an export contains."""
    by_type = {kind: uid for uid, kind in reversed([*sources.items()])} | _DATA_SOURCES
    values: dict[str, str] = {}
    for entry in board.get("__inputs") or []:
        name, plugin = str(entry.get("name")), entry.get("pluginId")
        if entry.get("type") == "constant":
            values[name] = str(entry.get("value", ""))
        elif plugin in by_type:
            values[name] = by_type[plugin]
        else:
            wanted = entry.get("pluginName") or plugin or entry.get("type")
            raise ProjectFileError(
                f"asks for {wanted}, and there is only Prometheus here: grafana.dataSources takes "
                "another"
            )
    return values


def _filled(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), value)
    return value


def _problems(
    board: dict[str, Any], path: Path, taken: dict[tuple[str, str], str]
) -> Iterator[str]:
    title, uid = board.get("title"), board.get("uid")
    if not isinstance(title, str) or not title.strip():
        yield "has no title"
    else:
        yield from _claim("title", title, path, taken)
    if not isinstance(uid, str) or not uid:
        yield 'has no uid, by which Grafana knows it again: add "uid" to it'
    elif not _UID.fullmatch(uid):
        yield f"has the uid {uid}: Grafana takes 40 letters, digits, `_` and `-` at most"
    elif uid.startswith(RESERVED_PREFIX):
        yield f"has the uid {uid}, and what begins with {RESERVED_PREFIX} is of this project"
    else:
        yield from _claim("uid", uid, path, taken)
    for name in sorted(_unknown_data_sources(board)):
        yield (
            f"has the data source ${{{name}}}, which nothing in it explains: make it a variable of "
            f"the type data source, or write {DATA_SOURCE_UID}"
        )


def _claim(what: str, value: str, path: Path, taken: dict[tuple[str, str], str]) -> Iterator[str]:
    if (what, value) in taken:
        yield f"has the {what} {value}, which {taken[what, value]} has already"
    taken.setdefault((what, value), path.name)


def _unknown_data_sources(board: dict[str, Any]) -> set[str]:
    templating = board.get("templating")
    variables = templating.get("list", []) if isinstance(templating, dict) else []
    known = {found.get("name") for found in variables if isinstance(found, dict)}
    return {name for name in _data_source_placeholders(board) if name not in known}


def _data_source_placeholders(board: dict[str, Any]) -> Iterator[str]:
    for uid in _data_sources(board):
        if match := _PLACEHOLDER.fullmatch(uid):
            yield match[1]


def _data_sources(value: Any) -> Iterator[str]:
    """Yield the uid, or the name, of each data source that is named."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "datasource":
                uid = item.get("uid") if isinstance(item, dict) else item
                if isinstance(uid, str) and uid:
                    yield uid
            else:
                yield from _data_sources(item)
    elif isinstance(value, list):
        for item in value:
            yield from _data_sources(item)


def _panel_types(board: dict[str, Any]) -> Iterator[str]:
    for panel in board.get("panels") or []:
        if isinstance(panel, dict):
            if isinstance(panel.get("type"), str):
                yield panel["type"]
            yield from _panel_types(panel)
