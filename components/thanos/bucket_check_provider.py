"""Dynamic provider of `BucketCheck`; a separate module for the reason given for `Preflight`."""

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

from components.docker.address import is_local
from components.thanos.bucket_probe import (
    Bucket,
    BucketError,
    UnreachableError,
    attempt,
)


class BucketCheckProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Probe the bucket where its settings changed, so that an outage of the store does not
        block other changes.
        """
        if not self.diff("", olds, news).changes:
            return CheckResult(news, [])
        refusal = refused(news)
        return CheckResult(news, [CheckFailure("", refusal)] if refusal else [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        names = news.keys() - {"__provider"}
        return DiffResult(changes=any(olds.get(name) != news[name] for name in names))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("bucket", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(news)


def refused(props: dict[str, Any]) -> str | None:
    """Return why the bucket cannot be used, or None."""
    try:
        attempt(Bucket.of(props))
    except UnreachableError as error:
        # A remote Docker host may reach a store that this machine cannot.
        return str(error) if is_local(props["docker_host"]) else None
    except BucketError as error:
        return str(error)
    return None
