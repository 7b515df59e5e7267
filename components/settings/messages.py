"""Words what is wrong with the settings: one line a problem, with the command that fixes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from components.common.redaction import redact, redact_value
from components.settings import fixes, schema
from components.settings.secrets import contains_secret, is_secret, type_at


@dataclass(frozen=True)
class Value:
    """Value of a setting, or a part of it, in the stack file; `hidden` if it is a secret."""

    value: Any
    hidden: bool = False


@dataclass(frozen=True)
class WrongSetting:
    """One problem: the path below `vitalstream:`, what is wrong, and the value that is there.

    `fix` replaces the default command that sets this path; `remove` means that the path has to be
    removed.
    """

    path: tuple[str, ...]
    problem: str
    value: Value | None = None
    fix: str | None = None
    remove: bool = False


def message(stack: str, wrong: list[WrongSetting]) -> str:
    """Return the message on all problems of a stack's settings. No secret is in it."""
    count = "1 setting is" if len(wrong) == 1 else f"{len(wrong)} settings are"
    lines = [_line(stack, one) for one in wrong]
    return "\n".join(
        [f"{count} wrong in Pulumi.{stack}.yaml; nothing was touched.", *map(redact, lines)]
    )


def _line(stack: str, wrong: WrongSetting) -> str:
    path = ".".join(redact_value(list(wrong.path)))
    shown = _shown(wrong)
    where = f"{schema.NAMESPACE}:{path}" + (f" = {shown}" if shown else "")
    problem, fix = wrong.problem, wrong.fix
    value = None if wrong.value is None else wrong.value.value
    if fix is None and isinstance(value, str) and not wrong.remove:
        problem, fix = fixes.of_pasted_url(wrong.path, value, stack) or (problem, None)
    return f"  {where} {problem}; fix: {fix or _fix(stack, wrong)}"


def _shown(wrong: WrongSetting) -> str | None:
    """Print the value, unless it is secret or several lines long, such as a certificate.

    Of a setting with secrets in it, only a part that is known to have none: `pasword` is one too.
    """
    if wrong.value is None or wrong.value.hidden:
        return None
    setting = schema.type_of(wrong.path[0])
    known = type_at(setting, wrong.path[1:])
    if contains_secret(setting) and (known is None or contains_secret(known)):
        return None
    value = wrong.value.value
    if isinstance(value, str) and "\n" in value.strip():
        return None
    return json.dumps(redact_value(value), ensure_ascii=False)


def _fix(stack: str, wrong: WrongSetting) -> str:
    path = ".".join(wrong.path)
    if path != ".".join(redact_value(list(wrong.path))):
        return f"remove that key from Pulumi.{stack}.yaml"
    key, *rest = wrong.path
    annotation = schema.type_of(key)
    if annotation is None:
        return f"pulumi config rm {path} --stack {stack}"
    # A path on the command line cannot contain an address.
    by_hand = any("." in part or ":" in part for part in rest)
    if wrong.remove and not by_hand:
        return f"pulumi config rm --path '{schema.pulumi_path(path)}' --stack {stack}"
    value = None if wrong.value is None or wrong.value.hidden else wrong.value.value
    # A secret is asked for at the prompt: on the command line it would stay in the shell's history.
    if is_secret(type_at(annotation, rest)):
        return fixes.set_secret(wrong.path, stack)
    if by_hand or (not rest and schema.is_structure(key)):
        return f"edit {schema.NAMESPACE}:{key} in Pulumi.{stack}.yaml; Pulumi.yaml describes it"
    return fixes.set_value(path, fixes.own_value(wrong.path, value), stack)
