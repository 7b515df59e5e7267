"""The policies as a Pulumi policy pack: `pulumi preview --policy-pack policy`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

# The engine runs this file by its path: the repository is not on the path then.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from components.settings import loader, schema
from policy.rules import POLICIES, Policy
from policy.subject import Subject


def _secret_values() -> frozenset[str]:
    """Return the stack's secrets, which the engine passes to a pack with its configuration."""
    config: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG", "{}"))
    prefix = f"{schema.NAMESPACE}:"
    own = {key.removeprefix(prefix): text for key, text in config.items() if key.startswith(prefix)}
    return frozenset(loader.secret_values(own).values())


class _Props(Mapping[str, Any]):
    """Plain input values.

    A value that is unknown in a preview raises when it is read. The policy that read it is then
    reported as not run, and runs when the resource is created.
    """

    def __init__(self, props: Mapping[str, Any]) -> None:
        self._props = props

    def __getitem__(self, key: str) -> Any:
        return _plain(self._props[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._props)

    def __len__(self) -> int:
        return len(self._props)

    def unknown(self) -> frozenset[str]:
        return frozenset(key for key in self._props if self._is_unknown(key))

    def _is_unknown(self, key: str) -> bool:
        try:
            self[key]
        except UnknownValueError:
            return True
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    # Numbers travel as doubles.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _validate(policy: Policy, secret_values: frozenset[str]) -> Callable[..., None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        props = _Props(args.props)
        subject = Subject(
            stack=pulumi.get_stack(),
            type=args.resource_type,
            name=args.name,
            props=props,
            protect=args.opts.protect,
            unknown=props.unknown(),
            secret_values=secret_values,
        )
        for message in policy.rule(subject):
            report(message, None)

    return validate


def main() -> None:
    secret_values = _secret_values()
    PolicyPack(
        name="vitalstream",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[
            ResourceValidationPolicy(
                name=policy.name,
                description=policy.description,
                validate=_validate(policy, secret_values),
            )
            for policy in POLICIES
        ],
    )


if __name__ == "__main__":
    main()
