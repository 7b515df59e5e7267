"""Check of the object storage before any resource is replaced.

A no-op resource that only runs the check, as `Preflight` does: a store that cannot be reached or
written fails the preview with a clear message. Without the check, samples would accumulate on the
host until they are deleted.
"""

from __future__ import annotations

import pulumi
from pulumi.dynamic import Resource

from components.catalog import thanos as members
from components.settings.settings import Settings
from components.thanos.bucket_check_provider import BucketCheckProvider


class BucketCheck(Resource, module="vitalstream", name="BucketCheck"):
    """Fail a preview where the bucket of the settings cannot be used."""

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        thanos = settings.thanos
        super().__init__(
            BucketCheckProvider(),
            "bucket-check",
            {
                "docker_host": settings.docker_host,
                "stack": settings.stack,
                "endpoint": thanos.endpoint,
                "bucket": thanos.bucket,
                "region": thanos.region,
                "prefix": thanos.prefix,
                "insecure": thanos.insecure,
                "ca": thanos.ca,
                "access_key": pulumi.Output.secret(settings.thanos_access_key.get_secret_value()),
                "secret_key": pulumi.Output.secret(settings.thanos_secret_key.get_secret_value()),
                # A replaced Thanos container needs its bucket to start.
                "image": settings.image(members.IMAGE),
            },
            opts,
        )
