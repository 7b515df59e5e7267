"""Dynamic provider that creates, updates and reads `ConfigFiles`.

The class stays importable by this name: the state then holds a reference to it instead of its
code, and an edit of the code makes no diff.
"""

from __future__ import annotations

import sys
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

# The Docker SDK takes 0.2 s to import, in the program and in the plugin: only where it is used.
# ruff: noqa: PLC0415

_COMPARED = (
    "docker_host", "docker_certificates", "volume", "target", "image", "uid", "container",
    "files", "secret_files", "checker", "on_change", "on_change_below", "owned",
)  # fmt: skip
_REPLACES = ("docker_host", "volume", "target")


class ConfigFilesProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Configure the provider; called only in the engine's plugin process."""
        # The engine prints whatever comes out of here with its stack; the message is enough. In a
        # process that runs a Pulumi program this would hang it: Pulumi reads its own stack.
        sys.tracebacklimit = 0

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Run the service's own checker on changed files, in previews too.

        A failure names no property: the engine would print the property's whole value before the
        reason.
        """
        changed = any(olds.get(key) != news.get(key) for key in _COMPARED)
        if not changed or not news["checker"]:
            return CheckResult(news, [])
        from components.docker import config_files_apply

        refusal = config_files_apply.refusal(news)
        return CheckResult(news, [CheckFailure("", refusal)] if refusal else [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        changed = [key for key in _COMPARED if olds.get(key) != news.get(key)]
        return DiffResult(
            changes=bool(changed),
            replaces=[key for key in changed if key in _REPLACES],
            delete_before_replace=True,
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        from components.docker import config_files_apply

        config_files_apply.apply(props, {})
        return CreateResult(f"{props['volume']}:{props['target']}", props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        from components.docker import config_files_apply

        config_files_apply.apply(news, olds)
        return UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        from components.docker import config_files_apply

        outs = config_files_apply.read(props)
        return ReadResult("", {}) if outs is None else ReadResult(id_, outs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Do nothing: the files go with their volume, which is a separate resource."""
