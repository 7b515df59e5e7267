"""Every change is reported, understood or not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.review.diff.report import Section
from ops.review.diff.snapshot import (
    PREFLIGHT,
    Address,
    Snapshot,
    is_secret,
)
from tests.unit import diff_stacks as stacks

FEW = settings(max_examples=15, deadline=None, derandomize=True)
# Of places of the stack: which there are is known once it is rendered.
SEEDS = st.integers(0, 2**32)
Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths to all scalars; a secret counts as one."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(part, dict | list) and part and not is_secret(part):
            yield from leaves(part, (*path, key))
        else:
            yield (*path, key)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return {"$secret": "f1d0"} if isinstance(value, dict) else ["x"]


def change(value: Any, path: Path) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = other(value[path[-1]])


def prod() -> Snapshot:
    return stacks.stack("prod")


@cache
def inputs() -> list[tuple[Address, Path]]:
    """Return every input whose change counts as a change."""
    return [
        (address, path)
        for address, resource in sorted(prod().resources.items())
        for path in leaves(dict(resource.inputs))
        if path[0] not in resource.ignore_changes
    ]


def check(after: Snapshot, address: Address) -> None:
    report = stacks.report(prod(), after)
    assert address.name in {item.subject for item in report.sections[Section.DETAILS]}
    assert report.changes
    filled = [one for one, items in report.sections.items() if items and one is not Section.DETAILS]
    # Preflight's inputs follow from the rest.
    assert filled or address.type == PREFLIGHT


@FEW
@given(SEEDS)
def test_change_of_any_input_is_reported(seed: int) -> None:
    address, path = random.Random(seed).choice(inputs())
    after = stacks.edited(prod(), address.type, address.name, lambda found: change(found, path))
    check(after, address)


@cache
def parts(dashboards: bool) -> list[tuple[Address, Path, Path]]:
    """Return every value in a dashboard, or in a file of Prometheus or Alertmanager."""
    found = []
    for address, resource in sorted(prod().resources.items()):
        texts: dict[Path, Any] = {}
        if dashboards and "configJson" in resource.inputs:
            texts["configJson",] = json.loads(resource.inputs["configJson"])
        elif not dashboards and "files" in resource.inputs:
            texts = {
                ("files", name): yaml.safe_load(text)
                for name, text in resource.inputs["files"].items()
                if name.endswith(".yml")
            }
        found += [(address, at, path) for at, text in texts.items() for path in leaves(text)]
    return found


def edit_part(
    at: tuple[Address, Path, Path], load: Callable[[str], Any], dump: Callable[[Any], str]
) -> Snapshot:
    address, where, path = at

    def put(found: Any) -> None:
        for key in where[:-1]:
            found = found[key]
        content = load(found[where[-1]])
        change(content, path)
        found[where[-1]] = dump(content)

    return stacks.edited(prod(), address.type, address.name, put)


@FEW
@given(SEEDS)
def test_change_of_any_part_of_a_dashboard_is_reported(seed: int) -> None:
    at = random.Random(seed).choice(parts(dashboards=True))
    check(edit_part(at, json.loads, json.dumps), at[0])


@FEW
@given(SEEDS)
def test_change_of_any_part_of_a_file_is_reported(seed: int) -> None:
    at = random.Random(seed).choice(parts(dashboards=False))
    check(edit_part(at, yaml.safe_load, yaml.safe_dump), at[0])
