"""The user's own rule files, loaded beside those of `rules/`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from components.common.problems import Problem
from components.rules import rule_file
from components.rules.rule_file import Rule, RuleFile, RuleFileError
from components.rules.rule_set import RULES_DIR, RuleSet
from components.user_files import paths as project_files
from components.user_files.paths import PROJECT_DIR, ProjectFileError

PREFIX = "extra-"
"""No file of `rules/` begins like this."""
RUNBOOKS_URL = "https://github.com/vitalstream/monitoring/blob/main/docs/runbooks/"
"""Where the pages of docs/runbooks are read."""
SEVERITIES = ("critical", "warning")
_FILE_NAME = re.compile(r"(?P<stem>[A-Za-z0-9][A-Za-z0-9_.-]*)\.ya?ml")


def load(paths: Sequence[str], project: Path = PROJECT_DIR) -> RuleSet:
    """Return the files by the names under which Prometheus gets them, `extra-<name>.yml`.

    Paths are relative to the project.
    """
    return RuleSet.of({_target(path): (project / path).read_text("utf-8") for path in paths})


def problems(paths: Sequence[str], project: Path = PROJECT_DIR) -> list[Problem]:
    """Return the problems of the files, by the path's index in the list.

    Only what promtool does not check: alerts that no route or dashboard understands, and names
    already in use. promtool checks the expressions before the files go live.
    """
    found: list[Problem] = []
    taken = _shipped_names() if paths else {}
    targets: dict[str, str] = {}
    for index, path in enumerate(paths):
        place = (str(index),)
        try:
            target = _target(path)
            if target in targets:
                raise ProjectFileError(
                    f"would be rules/{target}, which {targets[target]} is: rename one of them"
                )
            targets[target] = path
            rules = list(_parsed(project, path).rules)
        except ProjectFileError as error:
            found.append(Problem(place, str(error)))
            continue
        found += [
            Problem(place, problem, fix=f"edit {path}")
            for rule in rules
            for problem in _problems(rule, path, taken)
        ]
    return found


def _target(path: str) -> str:
    match = _FILE_NAME.fullmatch(Path(path).name)
    if match is None:
        raise ProjectFileError(
            "is not named like a rule file: letters, digits, `_`, `.` and `-`, and .yml at the end"
        )
    return f"{PREFIX}{match['stem']}.yml"


def _shipped_names() -> dict[tuple[str, str], str]:
    """Return the file of each shipped alert and recorded series, by kind and name."""
    return {
        (kind, name): f"rules/{file}"
        for file, found in RuleSet.shipped().parsed.items()
        for rule in found.rules
        for kind in ("alert", "record")
        if (name := rule.name(kind))
    }


def _parsed(project: Path, path: str) -> RuleFile:
    file = project_files.resolved(path, project)
    if not file.is_file():
        raise ProjectFileError(f"does not exist in {project}, the folder of Pulumi.yaml")
    if file.resolve().parent == RULES_DIR:
        raise ProjectFileError("is in rules/, whose files Prometheus gets anyway")
    try:
        found = rule_file.parse(project_files.text_of(file))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ProjectFileError(f"is not YAML: {problem}{where}") from None
    except RuleFileError as error:
        raise ProjectFileError(f"is not a rule file: it {error}") from None
    if not found.groups:
        raise ProjectFileError("is not a rule file: it has no list `groups`")
    for number, group in enumerate(found.groups, start=1):
        if group.content.get("rules") is None:
            raise ProjectFileError(f"is not a rule file: its group {number} has no list `rules`")
    return found


def _problems(rule: Rule, path: str, taken: dict[tuple[str, str], str]) -> Iterator[str]:
    alert, record = rule.name("alert"), rule.name("record")
    if alert:
        yield from _alert_problems(alert, rule)
        if ("alert", alert) in taken:
            yield f"has the alert {alert}, a name that {taken['alert', alert]} has already"
        taken["alert", alert] = path
    elif record:
        # The user's own files may record a series in parts, by label.
        if ("record", record) in taken:
            yield f"records {record}, which {taken['record', record]} records already"
    else:
        yield f"has a rule with neither an alert's nor a record's name: {rule.title}"


def _alert_problems(alert: str, rule: Rule) -> Iterator[str]:
    labels = rule.part("labels")
    severity = labels.get("severity")
    if severity is None:
        yield f"has the alert {alert} without severity, by which alerts are routed"
    elif severity not in SEVERITIES:
        known = " and ".join(SEVERITIES)
        yield f"has the alert {alert} with severity {severity}; there are {known}"
    service = labels.get("service")
    if not isinstance(service, str) or not service.strip():
        yield f"has the alert {alert} without service, by which alerts are routed and inhibited"
    runbook = rule.part("annotations").get("runbook_url")
    if runbook is not None and not _is_https_url(runbook):
        yield f"has the alert {alert} with a runbook_url that is not an https URL"
    elif runbook and runbook.startswith(RUNBOOKS_URL) and not _is_page(runbook):
        yield f"has the alert {alert} with a runbook_url that leads to no page of docs/runbooks"


def _is_page(url: str) -> bool:
    page = url.removeprefix(RUNBOOKS_URL).partition("#")[0]
    return "/" not in page and (PROJECT_DIR / "docs" / "runbooks" / page).is_file()


def _is_https_url(value: Any) -> bool:
    if not isinstance(value, str) or re.search(r"[\s<>\"{}]", value):
        return False
    try:
        url = urlsplit(value)
    except ValueError:
        return False
    return url.scheme == "https" and bool(url.hostname)
