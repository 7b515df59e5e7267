"""Groups of backends that are asked in their own way: `backend`, such as api, worker and ingest.

All of them are the job `backend`, whose rules apply to them; a group's name is their label
`component` (docs/decisions/0020-components-of-the-backend.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StrictBool, ValidationInfo, field_validator

from components.common.problems import Problem
from components.settings.http_source import HttpSource
from components.settings.passwords import OneLine
from components.settings.types import ServiceAddress

LABEL = "component"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("is not a group's name, such as api: small letters, digits, `_` and `-`")
    return text


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError("is not a path, such as /internal/metrics")
    return text


GroupName = Annotated[str, AfterValidator(_name)]


class BackendGroup(HttpSource):
    """Instances of the backend; of one that serves no HTTP, no request metrics are expected."""

    targets: Annotated[tuple[ServiceAddress, ...], Field(min_length=1)]
    path: Annotated[str, AfterValidator(_path)] = "/metrics"
    bearer_token: OneLine = SecretStr("")
    serves_http: StrictBool = True

    @field_validator("bearer_token")
    @classmethod
    def _validate_bearer_token(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if value.get_secret_value() and info.data.get("username"):
            raise ValueError("is set beside username and password: one of them")
        return value


def problems(groups: Mapping[str, BackendGroup]) -> Iterator[Problem]:
    """Yield the targets that two groups have: `instance` would be the same."""
    seen: dict[str, str] = {}
    for name, group in groups.items():
        for index, target in enumerate(group.targets):
            if target in seen:
                problem = f"is a target of {seen[target]} too, and would count twice"
                yield Problem((name, "targets", str(index)), problem)
            seen[target] = name


def list_problems(targets: Sequence[str], groups: Mapping[str, BackendGroup]) -> Iterator[Problem]:
    """Yield the targets of the plain list that a group has too."""
    of_groups = {target: name for name, group in groups.items() for target in group.targets}
    for index, target in enumerate(targets):
        if target in of_groups:
            problem = f"is a target of backend.{of_groups[target]} too, and would count twice"
            yield Problem((str(index),), problem)
