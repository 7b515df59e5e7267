"""Stacks to compare: the program's own, and what is edited of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from ops.review.diff import (
    base,
    compose,
    plan,
    text,
)
from ops.review.diff.comparison import Comparison
from ops.review.diff.recorder import Recorder
from ops.review.diff.report import Report, Section
from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DASHBOARD,
    Address,
    Resource,
    Setting,
    Snapshot,
)
from ops.root import ROOT
from tests.unit.conftest import stack_config

Inputs = dict[str, Any]


@cache
def stack(name: str = "prod", overrides: str = "{}") -> Snapshot:
    """Return a stack as the program registers it, with `overrides` of its settings as JSON."""
    recorder = Recorder(ROOT, name, b"of these tests")
    changed = json.loads(overrides)
    found = base.snapshot(
        {
            "resources": recorder.registered(stack_config(name, changed)),
            "settings": recorder.settings(),
        }
    )
    ours = {key: Setting(value, True) for key, value in changed.items()}
    return replace(found, settings={**(found.settings or {}), **ours})


def with_settings(name: str = "prod", **overrides: Any) -> Snapshot:
    return stack(name, json.dumps(overrides))


def with_settings_shown(name: str = "prod", **values: Any) -> Snapshot:
    """Return a snapshot with other values in the stack file, without running the program."""
    found = stack(name)
    ours = {key: Setting(value, True) for key, value in values.items()}
    return replace(found, settings={**(found.settings or {}), **ours})


def compared(before: Snapshot, after: Snapshot, name: str = "prod") -> Comparison:
    return Comparison(name, "one to another", before, after, plan.steps(before, after))


def report(before: Snapshot, after: Snapshot, name: str = "prod") -> Report:
    return compose.report(compared(before, after, name))


def printed(found: Report, *sections: Section) -> str:
    """Return the report as text; with `sections`, only those."""
    if sections:
        found = replace(
            found,
            verdict=(),
            sections={one: items for one, items in found.sections.items() if one in sections},
        )
    return text.render(found)


def edited(
    snapshot: Snapshot, kind: str, name: str, change: Callable[[Inputs], Any], **fields: Any
) -> Snapshot:
    """Return a snapshot with one resource's inputs and `fields` changed."""
    address = next(at for at in snapshot.resources if (at.type, at.name) == (kind, name))
    resource = snapshot.resources[address]
    inputs = copy.deepcopy(dict(resource.inputs))
    change(inputs)
    changed = replace(resource, inputs=inputs, **fields)
    return replace(snapshot, resources={**snapshot.resources, address: changed})


def without(snapshot: Snapshot, kind: str, name: str) -> Snapshot:
    left = {
        at: resource
        for at, resource in snapshot.resources.items()
        if (at.type, at.name) != (kind, name)
    }
    return replace(snapshot, resources=left)


def with_resource(snapshot: Snapshot, resource: Resource) -> Snapshot:
    return replace(snapshot, resources={**snapshot.resources, resource.address: resource})


def with_container(
    snapshot: Snapshot, change: Callable[[Inputs], Any], name: str = "grafana"
) -> Snapshot:
    return edited(snapshot, CONTAINER, name, change)


def with_file(snapshot: Snapshot, path: str, change: Callable[[str], str]) -> Snapshot:
    """Return a snapshot with a file of Prometheus or Alertmanager changed."""
    name, old = next((found.name, text_) for found, at, text_ in snapshot.files() if at == path)

    def put(inputs: Inputs) -> None:
        inputs["files"][path] = change(old)

    return edited(snapshot, CONFIG_FILES, name, put)


def with_text(snapshot: Snapshot, path: str, old: str, new: str) -> Snapshot:
    def put(found: str) -> str:
        assert old in found
        return found.replace(old, new)

    return with_file(snapshot, path, put)


def with_yaml(snapshot: Snapshot, path: str, change: Callable[[Any], Any]) -> Snapshot:
    def put(found: str) -> str:
        content = yaml.safe_load(found)
        change(content)
        return yaml.safe_dump(content, sort_keys=False)

    return with_file(snapshot, path, put)


def with_dashboard(snapshot: Snapshot, name: str, change: Callable[[Any], Any]) -> Snapshot:
    def put(inputs: Inputs) -> None:
        content = json.loads(inputs["configJson"])
        change(content)
        inputs["configJson"] = json.dumps(content)

    return edited(snapshot, DASHBOARD, name, put)


def panel(dashboard: Mapping[str, Any], title: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in dashboard["panels"] if one["title"] == title)
    return found


def rule(content: Any, name: str) -> dict[str, Any]:
    """Return a rule of a rule file by its alert or record name."""
    return next(
        one
        for group in content["groups"]
        for one in group["rules"]
        if name in (one.get("alert"), one.get("record"))
    )


def rules_alone(text_: str, settings: Mapping[str, Setting] | None = None) -> Snapshot:
    """Return a stack with one rule file and its reader."""
    files = Resource(
        Address((CONFIG_FILES,), "prometheus-config"),
        {
            "container": "prometheus",
            "files": {"rules/rules.yml": text_},
            "secret_files": {},
            "on_change": {"reload": {"metrics": "", "prefix": ""}},
        },
    )
    return Snapshot({files.address: files}, settings)
