"""Comparison from an engine's preview: `pulumi preview --json --show-sames`.

It knows the stack's state and, with `--refresh`, what runs. It does not know which of a resource's
secret inputs changed, nor the settings before: a commit does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ops.review.diff import plan, preview_state, routing
from ops.review.diff.comparison import Comparison, DiffError, Op, Step
from ops.review.diff.preview_state import DRIFTING_OUTPUTS, MASKED
from ops.review.diff.report import Fault
from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DYNAMIC,
    IMAGE,
    SECRET,
    Address,
    Resource,
    Setting,
    Snapshot,
)
from ops.review.diff.values import changes, same

_SECRET_ROUTES = (
    "Alertmanager's file is a secret as a whole, for the login in deliveryProxy: its routing "
    "cannot be read from this preview. A comparison of commits can (--base without --preview)."
)
_STOPPED = (
    "The engine stopped {} after the preview was whole, for it did not end within 5 seconds; of "
    "that alone is its `exited prematurely`."
)
HOW = "pulumi preview --json --show-sames > FILE"
_EXITED = re.compile(r"Detected that (?:.*[/\\])?(\S+) exited prematurely")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|<\{%[a-z]+%\}>")
_OPS = {
    "create": Op.CREATE,
    "import": Op.CREATE,
    "delete": Op.DELETE,
    "replace": Op.REPLACE,
    "import-replacement": Op.REPLACE,
    "update": Op.UPDATE,
}
# They change nothing, or are parts of a `replace` that is reported as a whole.
_IGNORED = ("same", "refresh", "read", "create-replacement", "delete-replaced")
_ENGINES_OWN = re.compile(r"pulumi:pulumi:Stack::|pulumi:providers:[a-z-]+::default")


@dataclass(frozen=True)
class _Planned:
    """Step of the engine's plan; `names` are the top-level inputs that changed."""

    op: str
    old: Resource | None
    new: Resource | None
    old_outputs: Mapping[str, Any]
    names: tuple[str, ...]
    replaced_for: tuple[str, ...]


def compare(path: Path) -> Comparison:
    """Read a preview. Raises DiffError if the file is incomplete; a failed preview is reported."""
    document = _read(path)
    stack = _stack(document, path)
    origin = f"what runs to the program, by the engine's preview of {stack}"
    if words := _errors(document):
        broken = Fault("the engine's preview", words, "failed")
        return Comparison(stack, origin, Snapshot(), Snapshot(), broken=(broken,))
    refreshed = {step["urn"] for step in document["steps"] if step["op"] == "refresh"}
    before: dict[Address, Resource] = {}
    after: dict[Address, Resource] = {}
    steps: dict[Address, Step] = {}
    for raw in document["steps"]:
        if raw["op"] == "refresh" or _ENGINES_OWN.search(raw["urn"]):
            continue
        address = Address.parse(raw["urn"])
        planned, drift = _with_drift(_planned(address, raw))
        if planned.op == "create" and raw["urn"] in refreshed:
            drift = ("all of it",)
        planned = _with_secrets(planned, drift)
        if planned.old:
            before[address] = planned.old
        if planned.new:
            after[address] = planned.new
        if planned.op not in _IGNORED:
            op = _OPS.get(planned.op, Op.UPDATE)
            steps[address] = Step(op, planned.replaced_for, drift=drift)
    before, after = _with_image_names(before), _with_image_names(after)
    found = Snapshot(after, _settings(document))
    predicted = plan.steps(Snapshot(before), found)
    secret_routes = steps and routing.read(found) is None and any(found.of_type(CONFIG_FILES))
    notes = [_SECRET_ROUTES] if secret_routes else []
    if stopped := _stopped(document):
        notes.append(_STOPPED.format(" and ".join(stopped)))
    return Comparison(
        stack=stack,
        origin=origin,
        before=Snapshot(before),
        after=found,
        steps={at: _because(step, predicted.get(at, step)) for at, step in steps.items()},
        notes=tuple(notes),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DiffError(f"{path} cannot be read: {error}.") from None
    try:
        found = json.loads(text)
    except ValueError as error:
        cut = "is cut short" if text.lstrip().startswith("{") else "is no JSON"
        raise DiffError(f"{path} {cut} ({error}). It is what this writes: {HOW}") from None
    if not isinstance(found, dict) or not isinstance(found.get("steps", []), list):
        raise DiffError(f"{path} is not a preview. fix: create it with {HOW}")
    if "changeSummary" not in found and not _errors(found):
        raise DiffError(f"{path} is not a complete preview. fix: create it with {HOW}")
    wanted = (found.get("changeSummary") or {}).get("same", 0)
    shown = sum(1 for step in found.get("steps", []) if step.get("op") == "same")
    if shown < wanted and not _errors(found):
        raise DiffError(
            f"{path} leaves out {wanted - shown} resources that stay as they are; routes and "
            f"panels cannot be compared without them. Add --show-sames: {HOW}"
        )
    return {"steps": [], **found}


def _stack(document: Mapping[str, Any], path: Path) -> str:
    places = [*document["steps"], *(document.get("diagnostics") or ())]
    for place in places:
        if str(place.get("urn", "")).startswith("urn:pulumi:"):
            return str(place["urn"]).split(":")[2]
    if _errors(document):
        raise DiffError(f"{path} is a preview that failed:\n{_errors(document)}")
    raise DiffError(f"{path} has no resource in it. It is what this writes: {HOW}")


def _errors(document: Mapping[str, Any]) -> str:
    return "" if _stopped(document) else "\n".join(_error_messages(document))


def _error_messages(document: Mapping[str, Any]) -> list[str]:
    return [
        _ESCAPES.sub("", str(one.get("message", ""))).strip().removeprefix("error: ")
        for one in document.get("diagnostics") or ()
        if one.get("severity") == "error"
    ]


def _stopped(document: Mapping[str, Any]) -> list[str]:
    """Return the plugins that the engine stopped at the end of a complete preview.

    Pulumi 3.260 gives a plugin 5 seconds to answer its Cancel, which on a busy machine is not
    enough; it says the same of one that crashed, but then it fails, with another error or without a
    `changeSummary`. (Each was tried: a plugin held by SIGSTOP at the end, one killed in between.)
    """
    found = [_EXITED.match(words) for words in _error_messages(document)]
    if "changeSummary" not in document or not all(found):
        return []
    return sorted({one[1] for one in found if one})


def _planned(address: Address, raw: Mapping[str, Any]) -> _Planned:
    old, new = raw.get("oldState"), raw.get("newState")
    op = str(raw["op"])
    names = {_top(name) for name in (*(raw.get("detailedDiff") or ()), *_list(raw, "diffReasons"))}
    return _Planned(
        op=op,
        # A resource that is made has no past, and one that is deleted no future.
        old=preview_state.resource(address, old) if old and op != "create" else None,
        new=preview_state.resource(address, new) if new and op != "delete" else None,
        old_outputs=(old or {}).get("outputs") or {},
        names=tuple(sorted(names)),
        replaced_for=tuple(sorted({_top(name) for name in _list(raw, "replaceReasons")})),
    )


def _list(raw: Mapping[str, Any], key: str) -> list[str]:
    return list(raw.get(key) or ())


def _top(path: str) -> str:
    return re.split(r"[.\[]", path)[0]


def _with_drift(planned: _Planned) -> tuple[_Planned, tuple[str, ...]]:
    """Replace the old inputs by the running values where they differ."""
    old, new = planned.old, planned.new
    if old is None or new is None or planned.op in _IGNORED:
        return planned, ()
    if old.type in DRIFTING_OUTPUTS:
        names = [name for name in DRIFTING_OUTPUTS[old.type] if name in planned.old_outputs]
    else:
        names = [name for name in planned.names if same(old.inputs.get(name), new.inputs.get(name))]
    inputs, drift = dict(old.inputs), []
    for name in names:
        actual = preview_state.output(old, planned.old_outputs, name)
        if not same(actual, inputs.get(name)):
            drift += [change.where for change in changes({name: inputs.get(name)}, {name: actual})]
            inputs[name] = actual
    return replace(planned, old=replace(old, inputs=inputs)), tuple(drift)


def _with_secrets(planned: _Planned, drift: tuple[str, ...]) -> _Planned:
    """Mark the secret inputs that changed. Both sides are masked: the engine reports which ones
    changed, or nothing else changed.
    """
    old, new = planned.old, planned.new
    if old is None or new is None or planned.op in _IGNORED:
        return planned
    masked = [name for name, value in new.inputs.items() if value == old.inputs.get(name) == MASKED]
    unexplained = new.type.startswith(DYNAMIC) and not drift and same(old.inputs, new.inputs)
    changed = masked if unexplained else [name for name in masked if name in planned.names]
    if not changed:
        return planned
    before, after = ({SECRET: side} for side in ("before", "after"))
    return replace(
        planned,
        old=replace(old, inputs={**old.inputs, **dict.fromkeys(changed, before)}),
        new=replace(new, inputs={**new.inputs, **dict.fromkeys(changed, after)}),
    )


def _with_image_names(found: dict[Address, Resource]) -> dict[Address, Resource]:
    """Show a container's image by name: its id is known after `up`."""
    images = {str(at): one.inputs.get("name") for at, one in found.items() if at.type == IMAGE}
    named = dict(found)
    for address, resource in found.items():
        names = [images[at] for at in resource.dependencies if at in images]
        if address.type == CONTAINER and len(names) == 1:
            named[address] = replace(resource, inputs={**resource.inputs, "image": names[0]})
    return named


def _because(step: Step, predicted: Step) -> Step:
    """Add the predicted reason where the engine gives none: replacement of a network."""
    if step.op is not Op.REPLACE or step.replaced_for or predicted.op is not Op.REPLACE:
        return step
    return replace(step, replaced_for=predicted.replaced_for, because_of=predicted.because_of)


def _settings(document: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the settings as Pulumi passes them; objects and lists are JSON text."""
    return {
        str(key).partition(":")[2]: Setting(_value(value), True) for key, value in _config(document)
    }


def _config(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in (document.get("config") or {}).items():
        yield key, {SECRET: ""} if value == "[secret]" else value


def _value(text: Any) -> Any:
    if not isinstance(text, str) or not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
