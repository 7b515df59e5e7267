"""Resource in the form that the policies check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.rules.overrides import PROD


@dataclass(frozen=True)
class Subject:
    """Resource about to be created.

    `props` are its inputs by their camelCase names, secrets unwrapped. `unknown` are inputs whose
    value depends on a resource not created yet. `secret` are inputs that Pulumi marks secret, where
    that is visible, and `secret_values` are values that must appear in none of them.
    """

    stack: str
    type: str
    name: str
    props: Mapping[str, Any]
    protect: bool = False
    unknown: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()
    secret_values: frozenset[str] = field(default=frozenset(), repr=False)

    def is_a(self, kind: str) -> bool:
        """Return whether the type's last part is this, such as `Container`."""
        return self.type.rsplit(":", maxsplit=1)[-1] == kind

    @property
    def in_production(self) -> bool:
        return self.stack == PROD

    @property
    def arguments(self) -> list[str]:
        """Return a container's command line arguments."""
        return [*self.props.get("entrypoints", ()), *self.props.get("command", ())]

    def argument(self, flag: str) -> str | None:
        """Return the value of `--flag=value` or `--flag value`."""
        arguments = self.arguments
        for place, argument in enumerate(arguments):
            if argument.startswith(f"{flag}="):
                return argument.removeprefix(f"{flag}=")
            if argument == flag and place + 1 < len(arguments):
                return arguments[place + 1]
        return None

    @property
    def environment(self) -> list[tuple[str, str]]:
        """Return names and values of the environment; a name may occur twice."""
        entries = (entry.partition("=") for entry in self.props.get("envs", ()))
        return [(name, value) for name, _, value in entries]


Rule = Callable[[Subject], Iterator[str]]
"""Yields a message with the fix for each violation."""
