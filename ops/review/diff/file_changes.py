"""Effect of a changed file on the service that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ops.review.diff import layout
from ops.review.diff.comparison import Comparison, Op, Step
from ops.review.diff.report import Item, Kind, Line, Mark, Quote, quoted
from ops.review.diff.snapshot import CONTAINER, Address, service_of
from ops.review.diff.values import Change

FILE_PARTS = ("files", "secret_files")


def items(comparison: Comparison, address: Address, step: Step) -> Iterator[Item]:
    """Report one `ConfigFiles`; nothing if its container is replaced anyway."""
    old, new = comparison.both(address)
    if old is None or new is None or step.op not in (Op.UPDATE, Op.REPLACE):
        return
    container = str(new.inputs.get("container"))
    if _container_step(comparison, container) in (Op.CREATE, Op.REPLACE, Op.DELETE):
        return
    changed = [one for one in comparison.input_changes(address) if one.path[0] in FILE_PARTS]
    if not changed and not step.drift:
        return
    service = _service(comparison, container)
    why: list[Line] = [("because of ", *quoted(_names(changed)))] if changed else []
    if step.drift:
        why.append(("its files were changed manually and are restored",))
    line, mark = _effect(service, _ways(new.inputs, changed))
    only_layout = not step.drift and all(layout.is_formatting_only(change) for change in changed)
    yield Item(
        Kind.CHANGED, service, line, mark, tuple(why),
        layout=only_layout and mark is Mark.NONE,
    )  # fmt: skip


def _ways(inputs: Mapping[str, Any], changed: list[Change]) -> dict[str, Any]:
    """Return the reload actions for the changed files, merged into one; for all files if the engine
    does not report which secret ones changed.
    """
    below: Mapping[str, Mapping[str, Any]] = inputs.get("on_change_below") or {}
    own: Mapping[str, Any] = inputs.get("on_change") or {}
    found: dict[str, Any] = {}
    if any(len(one.path) < 2 for one in changed) or not changed:
        for way in (own, *below.values()):
            found |= way
        return found
    for one in changed:
        path = str(one.path[1])
        tops = (top for top in below if path == top or path.startswith(f"{top}/"))
        found |= below.get(next(tops, ""), own)
    return found


def _effect(service: str, how: Mapping[str, Any]) -> tuple[Line, Mark]:
    if how.get("restart"):
        words = " is restarted to read its files: a scrape or two are missed"
        return (Quote(service), words), Mark.INTERRUPTS
    if how.get("reload"):
        return (Quote(service), " reads its configuration again: no restart"), Mark.NONE
    if how.get("run"):
        words = " takes its new files without a restart, by a command"
        if service == "grafana":
            words = " gets its admin password reset, without a restart"
        return (Quote(service), words), Mark.NONE
    return (Quote(service), " notices its other files by itself: no restart"), Mark.NONE


def _names(changed: list[Change]) -> list[str]:
    """Return file names; secret files are not named, as in the engine."""
    names = {str(one.path[1]) for one in changed if one.path[0] == "files" and len(one.path) > 1}
    secret = {"secret files"} if any(one.path[0] == "secret_files" for one in changed) else set()
    return sorted(names) + sorted(secret)


def _container_step(comparison: Comparison, name: str) -> Op | None:
    for address, step in comparison.of_type(CONTAINER):
        old, new = comparison.both(address)
        if any(one and one.inputs.get("name") == name for one in (old, new)):
            return step.op
    return None


def _service(comparison: Comparison, name: str) -> str:
    for container in comparison.after.of_type(CONTAINER):
        if container.inputs.get("name") == name:
            return service_of(container)
    return name
