"""The user's own rule files, loaded beside those of `rules/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field

from components.common.model import Frozen
from components.common.problems import Problem
from components.rules import rule_file
from components.rules.rule_file import Edit, Rule, RuleFile, RuleFileError
from components.rules.rule_set import RULES_DIR, RuleSet
from components.user_files import paths as project_files
from components.user_files.paths import PROJECT_DIR, ProjectFileError

PREFIX = "extra-"
"""No file of `rules/` begins like this."""
RUNBOOKS_URL = "https://github.com/vitalstream/monitoring/blob/main/docs/runbooks/"
"""Where the pages of docs/runbooks are read."""
SEVERITIES = ("critical", "warning")
_FILE_NAME = re.compile(r"(?P<stem>[A-Za-z0-9][A-Za-z0-9_.-]*)\.ya?ml")
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)

Service = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}$")]


class RuleDefaults(Frozen):
    """Labels for alerts that were not written for this program.

    `service` is for alerts without one, in the files of `services` another one by the path.
    `severities` are what other severities become.
    """

    service: Service | None = None
    services: dict[str, Service] = Field(default={})
    severities: dict[str, Literal["critical", "warning"]] = Field(default={})


NO_DEFAULTS = RuleDefaults()


def load(
    paths: Sequence[str], defaults: RuleDefaults = NO_DEFAULTS, project: Path = PROJECT_DIR
) -> RuleSet:
    """Return the files by the names under which Prometheus gets them, `extra-<name>.yml`.

    Paths are relative to the project.
    """
    return RuleSet.of({target(path): _parsed(project, path, defaults).text for path in paths})


def problems(
    paths: Sequence[str], defaults: RuleDefaults = NO_DEFAULTS, project: Path = PROJECT_DIR
) -> list[Problem]:
    """Return the problems of the files, by the path's index in the list.

    Only what promtool does not check: alerts that no route or dashboard understands, and names
    already in use. promtool checks the expressions before the files go live.
    """
    found = [
        Problem(
            ("services", path),
            "is the path of no file of extraRules",
            fix="edit vitalstream:extraRulesDefaults, or add the file to vitalstream:extraRules",
            setting="extra_rules_defaults",
        )
        for path in defaults.services
        if path not in paths
    ]
    taken = _shipped_names() if paths else {}
    targets: dict[str, str] = {}
    for index, path in enumerate(paths):
        place = (str(index),)
        try:
            name = target(path)
            if name in targets:
                raise ProjectFileError(
                    f"would be rules/{name}, which {targets[name]} is: rename one of them"
                )
            targets[name] = path
            rules = list(_parsed(project, path, defaults).rules)
        except ProjectFileError as error:
            found.append(Problem(place, str(error)))
            continue
        found += [
            Problem(place, problem, fix=f"edit {path}")
            for rule in rules
            for problem in _problems(rule, path, taken)
        ]
    return found


def target(path: str) -> str:
    """Return the name under which Prometheus gets a file. Raises ProjectFileError."""
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


def _parsed(project: Path, path: str, defaults: RuleDefaults) -> RuleFile:
    """Return a file with the default labels. Raises ProjectFileError."""
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
    service = defaults.services.get(path, defaults.service)
    # Several rules may have the same labels, by an alias.
    edits = {
        edit
        for rule in found.rules
        if rule.name("alert")
        for edit in _defaulted(rule, service, defaults.severities)
    }
    return rule_file.parse(rule_file.edited(found.text, edits)) if edits else found


def _defaulted(rule: Rule, service: str | None, severities: Mapping[str, str]) -> Iterator[Edit]:
    labels = rule.part("labels")
    severity = str(labels.get("severity"))
    place = rule.span("labels", "severity")
    if place and severity in severities:
        yield Edit(place, severities[severity])
    if service and "service" not in labels:
        edit = rule.entry_before("labels", f"service: {json.dumps(service)}")
        if edit:
            yield edit


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
        yield (
            f"has the alert {alert} with severity {severity}; there are {known}, and "
            "extraRulesDefaults.severities maps others to them"
        )
    service = labels.get("service")
    if not isinstance(service, str) or not service.strip():
        yield (
            f"has the alert {alert} without service, by which alerts are routed and inhibited; "
            "extraRulesDefaults.service is for alerts without one"
        )
    runbook = rule.part("annotations").get("runbook_url")
    if runbook is not None and not _is_link(runbook):
        yield f"has the alert {alert} with a runbook_url that is not an http or https URL"
    elif runbook and runbook.startswith(RUNBOOKS_URL) and not _is_page(runbook):
        yield f"has the alert {alert} with a runbook_url that leads to no page of docs/runbooks"


def _is_page(url: str) -> bool:
    page = url.removeprefix(RUNBOOKS_URL).partition("#")[0]
    if _TEMPLATE.search(page):
        return True
    return "/" not in page and (PROJECT_DIR / "docs" / "runbooks" / page).is_file()


def _is_link(value: Any) -> bool:
    """Return whether it is a URL, or the template of one: what that becomes is not known here."""
    if not isinstance(value, str):
        return False
    text = _TEMPLATE.sub("template", value)
    if re.search(r"[\s<>\"{}]", text):
        return False
    if value.startswith("{{"):
        return True
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname)
