"""A resource as the rules see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.rules.overrides import PROD


@dataclass(frozen=True)
class Subject:
    """A resource about to be made.

    `props` are its inputs by their camelCase names, secrets unwrapped. `unknown` are those that
    only another resource's making will tell. `secret` are those that Pulumi holds for a secret,
    where that can be seen, and `secret_values` what must stand in none of them.
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
        """Whether this is, say, a `docker:index/container:Container`, by the last part."""
        return self.type.rsplit(":", maxsplit=1)[-1] == kind

    @property
    def in_production(self) -> bool:
        return self.stack == PROD

    @property
    def arguments(self) -> list[str]:
        """What a container is started with."""
        return [*self.props.get("entrypoints", ()), *self.props.get("command", ())]

    def argument(self, flag: str) -> str | None:
        """The value of `--flag=value` or `--flag value`."""
        arguments = self.arguments
        for place, argument in enumerate(arguments):
            if argument.startswith(f"{flag}="):
                return argument.removeprefix(f"{flag}=")
            if argument == flag and place + 1 < len(arguments):
                return arguments[place + 1]
        return None

    @property
    def environment(self) -> list[tuple[str, str]]:
        """Names and values: a name may stand there twice."""
        entries = (entry.partition("=") for entry in self.props.get("envs", ()))
        return [(name, value) for name, _, value in entries]


Rule = Callable[[Subject], Iterator[str]]
"""Says what is wrong and how to mend it, once for each fault; nothing where all is right."""
