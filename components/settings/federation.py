"""Federation sources: other stacks whose recorded series a global stack copies.

docs/decisions/0013-federation.md says what is fetched, and why by its own time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator

from components.common.problems import Problem
from components.settings.http_source import HttpSource
from components.settings.types import HostPort

_STACK = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?")


def _stack(name: str) -> str:
    if not _STACK.fullmatch(name):
        raise ValueError("is not the name of a stack: letters, digits, `_`, `.` and `-`")
    return name


class FederationSource(HttpSource):
    """A stack's Prometheus. With its `tls`, `username` and `password` are its `webUser` and
    `webPassword`.
    """

    stack: Annotated[str, AfterValidator(_stack)]
    target: HostPort

    @field_validator("password")
    @classmethod
    def _validate_clear_text(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if value.get_secret_value() and info.data.get("scheme") == "http":
            raise ValueError("would go over the network in clear text: it needs scheme https")
        return value


def problems(own: str, sources: Sequence[FederationSource]) -> list[Problem]:
    """Find sources that duplicate each other or the stack itself."""
    names = Counter(source.stack for source in sources)
    found: list[Problem] = []
    for index, source in enumerate(sources):
        earlier = sources[:index]
        if source.stack == own:
            problem = f"is {own}, this stack itself: its series would be here twice"
            found.append(Problem((str(index), "stack"), problem))
        elif names[source.stack] > 1 and source.stack in (one.stack for one in earlier):
            problem = f"is {source.stack} twice: the series of the two could not be distinguished"
            found.append(Problem((str(index), "stack"), problem))
        if source.target in (one.target for one in earlier):
            problem = "is that of one before it: the same series would be here twice"
            found.append(Problem((str(index), "target"), problem))
    return found
