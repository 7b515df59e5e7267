"""Dynamic provider of `Preflight`.

A separate module, so that the plugin process that imports it needs neither the settings nor a
provider's SDK. The Docker SDK is imported by the checks alone: the program has no use for it.
"""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ResourceProvider,
    UpdateResult,
)


class PreflightProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        from components.preflight import checks  # noqa: PLC0415 - the Docker SDK: 0.2 s

        found = checks.faults(news)
        return CheckResult(news, [CheckFailure("", words) for words in found])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        names = {*olds, *news} - {"__provider"}
        return DiffResult(changes=any(olds.get(name) != news.get(name) for name in names))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("preflight", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Return the new inputs as state; otherwise every later preview would show a change."""
        return UpdateResult(news)
