"""Backends that come and go: found by a DNS name or in files, beside those of a fixed list.

What is found nowhere is down: rules/backend.yml pages for a job without a target.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from components.common.model import Frozen
from components.common.problems import Problem
from components.common.quantities import duration_seconds
from components.settings.types import Duration, Port, service_address
from components.user_files import paths as project_files
from components.user_files.paths import PROJECT_DIR, TARGETS_FOLDER, ProjectFileError

MAX_REFRESH_SECONDS = 300
_FILE_NAME = re.compile(r"(?P<stem>[A-Za-z0-9][A-Za-z0-9_.-]*)\.(?P<kind>json|ya?ml)")
_DNS_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# What Prometheus scrapes by, of a group: all others that begin with __ are its own.
_OF_SCRAPE = {
    "__metrics_path__": (re.compile(r"/[^\s?#]*"), "a path, such as /metrics"),
    "__scheme__": (re.compile(r"https?"), "http or https"),
}
_OURS = {
    "job": "by which the rules know a backend",
    "stack": "which every alert of this stack has by itself",
}


def _dns_name(text: str) -> str:
    if not _DNS_NAME.fullmatch(text):
        raise ValueError("is not a DNS name, such as backend.internal (no scheme, no port)")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text
    raise ValueError("is an address and no name: it belongs into backendTargets, with its port")


class DnsSource(Frozen):
    """DNS name whose records are the backends; only SRV records have ports of their own."""

    name: Annotated[str, AfterValidator(_dns_name)]
    type: Literal["A", "AAAA", "SRV"] = "A"
    # Checked also by default: whether one is needed depends on `type`.
    port: Port | None = Field(default=None, validate_default=True)
    refresh_interval: Duration = "30s"

    @field_validator("port")
    @classmethod
    def _validate_port(cls, port: int | None, info: ValidationInfo) -> int | None:
        match info.data.get("type"), port:
            case (("A" | "AAAA" as kind), None):
                raise ValueError(f"is missing: {kind} records have addresses and no ports")
            case "SRV", int():
                raise ValueError("is set, and SRV records bring the ports: leave it out")
        return port

    @field_validator("refresh_interval")
    @classmethod
    def _validate_refresh_interval(cls, value: str) -> str:
        if not 1 <= duration_seconds(value) <= MAX_REFRESH_SECONDS:
            raise ValueError("is not from 1s to 5m, for which a new backend would go unwatched")
        return value


def dns_problems(sources: Sequence[DnsSource]) -> list[Problem]:
    """Find duplicate DNS sources: each backend would be scraped and counted twice."""
    return [
        Problem((str(index),), f"asks for {source.name} as one before it does")
        for index, source in enumerate(sources)
        if any(
            (source.name, source.type, source.port) == (other.name, other.type, other.port)
            for other in sources[:index]
        )
    ]


def file_problems(paths: Sequence[str], project: Path = PROJECT_DIR) -> list[Problem]:
    """Find problems in the files, each at its path's index in the list.

    With a malformed file, Prometheus silently keeps the targets it had before.
    """
    found: list[Problem] = []
    names: dict[str, str] = {}
    seen: dict[str, str] = {}
    for index, path in enumerate(paths):
        place = (str(index),)
        try:
            name = target_file(path)
            if name in names:
                raise ProjectFileError(
                    f"would be {TARGETS_FOLDER}/{name}, which {names[name]} is: rename one of them"
                )
            names[name] = path
            groups = groups_of(project, path)
        except ProjectFileError as error:
            found.append(Problem(place, str(error)))
            continue
        found += [
            Problem(place, problem, fix=f"edit {path}")
            for number, group in enumerate(groups, start=1)
            for problem in _problems(group, f"group {number}", path, seen)
        ]
    return found


def list_problems(
    targets: Sequence[str], dns: Sequence[DnsSource] | None, files: Sequence[str] | None
) -> list[Problem]:
    """Find duplicates of the fixed list in the other sources, which are None if invalid."""
    if not targets and dns is not None and files is not None and not (dns or files):
        return [
            Problem(
                (),
                "has no target, and neither backendDns nor backendTargetFiles says where one "
                "is found",
            )
        ]
    in_files = {
        target: path
        for path in files or ()
        for group in groups_of(PROJECT_DIR, path)
        for target in group["targets"]
    }
    return [
        Problem((str(index),), f"is in {in_files[target]} too, and would count twice")
        for index, target in enumerate(targets)
        if target in in_files
    ]


def target_file(path: str) -> str:
    match = _FILE_NAME.fullmatch(Path(path).name)
    if match is None:
        raise ProjectFileError(
            "is not named like a file of targets: letters, digits, `_`, `.` and `-`, and .json or "
            ".yml at the end"
        )
    return f"{match['stem']}.{'json' if match['kind'] == 'json' else 'yml'}"


def groups_of(project: Path, path: str) -> list[Any]:
    """Return the file's groups; an empty file has none. Raises ProjectFileError."""
    file = project_files.resolved(path, project)
    if not file.is_file():
        raise ProjectFileError(f"does not exist in {project}, the folder of Pulumi.yaml")
    text = project_files.text_of(file)
    try:
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text) or []
    except ValueError as error:
        raise ProjectFileError(f"is not JSON: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ProjectFileError(f"is not YAML: {problem}{where}") from None
    if not isinstance(content, list):
        raise ProjectFileError(
            "is not a file of targets: a list of groups, such as [{targets: [backend:8000]}]"
        )
    return content


def _problems(group: Any, called: str, path: str, seen: dict[str, str]) -> Iterator[str]:
    if not isinstance(group, dict) or not isinstance(group.get("targets"), list):
        yield f"has no list `targets` in its {called}"
        return
    for key in group.keys() - {"targets", "labels"}:
        yield f"has {key} in its {called}, where there are targets and labels only"
    for target in map(str, group["targets"]):
        try:
            service_address(target)
        except ValueError as error:
            yield f"has {target} in its {called}, which {error}"
        if target in seen:
            yield f"has {target}, which {seen[target]} has already: it would count twice"
        seen[target] = path
    labels = group.get("labels") or {}
    if isinstance(labels, Mapping):
        yield from _label_problems(labels, called, len(group["targets"]))
    else:
        yield f"has no labels by name in its {called}"


def _label_problems(labels: Mapping[Any, Any], called: str, targets: int) -> Iterator[str]:
    for name, value in labels.items():
        if name in _OURS:
            yield f"sets the label {name} in its {called}, {_OURS[name]}"
        elif not _LABEL.fullmatch(str(name)):
            yield f"has {name} in its {called}, which is not a valid label name"
        elif not isinstance(value, str):
            yield f"has a label {name} in its {called} that is not text: put it in quotes"
        elif name in _OF_SCRAPE:
            valid, words = _OF_SCRAPE[name]
            if not valid.fullmatch(value):
                yield f"has {name} in its {called}, which is not {words}"
        elif name.startswith("__"):
            known = " and ".join(_OF_SCRAPE)
            yield f"has {name} in its {called}: of the labels with __, {known} can be set"
    if "instance" in labels and targets > 1:
        yield f"gives all targets of its {called} one instance: their series would be the same"
