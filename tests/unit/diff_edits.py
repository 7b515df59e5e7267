"""Functions that edit a stack, and the form of an edit with what its report must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.review.diff.snapshot import Snapshot
from tests.unit import diff_stacks as stacks
from tests.unit.diff_stacks import rule

Edit = Callable[[Snapshot], Snapshot]
NO_RESTART = "Configuration only: no container restarts."
BACKEND, ROUTES = "rules/backend.yml", "alertmanager.yml"


@dataclass(frozen=True)
class Case:
    """Edit of a stack, with lines that its report has and lines that it does not have."""

    edit: Edit
    says: tuple[str, ...]
    silent: tuple[str, ...] = ()


def text(path: str, old: str, new: str) -> Edit:
    return lambda stack: stacks.with_text(stack, path, old, new)


def yaml(path: str, change: Callable[[Any], Any]) -> Edit:
    return lambda stack: stacks.with_yaml(stack, path, change)


def container(change: Callable[[Any], Any], name: str = "grafana") -> Edit:
    return lambda stack: stacks.with_container(stack, change, name)


def settings(**values: Any) -> Edit:
    return lambda _stack: stacks.with_settings("prod", **values)


def dashboard(change: Callable[[Any], Any]) -> Edit:
    return lambda stack: stacks.with_dashboard(stack, "redis", change)


def resource(kind: str, name: str, change: Callable[[Any], Any], **fields: Any) -> Edit:
    return lambda stack: stacks.edited(stack, kind, name, change, **fields)


def nothing(_inputs: Any) -> None:
    """Change no input, for cases that change only a resource's options."""


def add_alert_at_the_top(content: Any) -> None:
    content["groups"][0]["rules"].insert(
        0,
        {
            "alert": "BackendSlow",
            "expr": "job:http_requests:rate5m > 1",
            "labels": {"severity": "warning", "service": "backend"},
        },
    )


def put(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda found: found.__setitem__(name, value)


def put_label(name: str, value: str) -> Callable[[Any], Any]:
    return lambda content: rule(content, "HighErrorRate")["labels"].__setitem__(name, value)


def unwatch(content: Any, metric: str) -> None:
    for one in content["groups"][0]["rules"]:
        lines = [line for line in one["expr"].splitlines() if f'"{metric}"' not in line]
        one["expr"] = "\n".join(lines) + "\n"


def remove_alert(content: Any) -> None:
    for group in content["groups"]:
        group["rules"] = [r for r in group["rules"] if r.get("alert") != "HighErrorRate"]


def reverse(content: Any) -> None:
    for group in content["groups"]:
        group["rules"].reverse()
    content["groups"].reverse()


def stop_at_critical(content: Any) -> None:
    critical = next(r for r in content["route"]["routes"] if r["receiver"] == "critical")
    critical["continue"] = False


def receiver(content: Any, name: str) -> Any:
    return next(found for found in content["receivers"] if found["name"] == name)


def hold_all_back(content: Any) -> None:
    content["inhibit_rules"].append(
        {
            "source_matchers": ['alertname="GrafanaDown"'],
            "target_matchers": ['alertname="DiskSpaceLow"'],
            "equal": ["stack"],
        }
    )


def mute(content: Any) -> None:
    content["time_intervals"] = [{"name": "nights"}]
    content["route"]["routes"][1]["mute_time_intervals"] = ["nights"]


def move_all(content: Any) -> None:
    for one in content["panels"]:
        one["gridPos"]["y"] += 3
