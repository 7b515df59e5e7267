"""Policies of `policy/`, applied to the resources registered under Pulumi's mocks.

As `pulumi preview --policy-pack policy` does, without an engine, a state or a secret.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pulumi.runtime import rpc

from ops.offline import program
from ops.offline.program import Registration, StackConfig
from policy.rules import Violation, violations
from policy.subject import Subject


def check(stack: str, config: StackConfig | None = None) -> list[Violation]:
    """Return the policy violations of a stack. Raises ProgramError."""
    config = config or StackConfig.of_stack(stack)
    return check_registrations(stack, config, program.run(stack, config))


def check_registrations(
    stack: str, config: StackConfig, registrations: Iterable[Registration]
) -> list[Violation]:
    secret_values = frozenset(config.secrets.values())
    return [
        found
        for registration in registrations
        for found in violations(_subject(stack, registration, secret_values))
    ]


def as_json(found: Sequence[Violation]) -> str:
    """Return a list of `{policy, level, resource, message}`."""
    return json.dumps([dataclasses.asdict(violation) for violation in found], indent=2) + "\n"


def as_text(stack: str, found: Sequence[Violation]) -> str:
    if not found:
        return f"Stack {stack} keeps every policy."
    lines = [f"Stack {stack} breaks {len(found)} of policy/:"]
    for violation in found:
        lines.append(f"  {violation.resource}: {violation.policy}\n    {violation.message}")
    return "\n".join(lines)


def _subject(stack: str, registration: Registration, secret_values: frozenset[str]) -> Subject:
    return Subject(
        stack=stack,
        type=registration.type,
        name=registration.name,
        props=program.unwrap(registration.inputs),
        protect=registration.protect,
        secret=frozenset(key for key, value in registration.inputs.items() if any(_secrets(value))),
        secret_values=secret_values,
    )


def _secrets(value: Any) -> Iterator[bool]:
    """Yield True for each secret part."""
    if rpc.is_rpc_secret(value):
        yield True
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)
