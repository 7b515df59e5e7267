"""Tries the object storage before anything is replaced.

A resource without a life of its own, as `Preflight` is: a store that cannot be reached or written
ends a preview in plain words. Without it, samples would pile up on the machine until they are lost.
"""

from __future__ import annotations

import pulumi
from pulumi.dynamic import Resource

from components.catalog import thanos as members
from components.settings.settings import Settings
from components.thanos.bucket_check_provider import BucketCheckProvider


class BucketCheck(Resource, module="vitalstream", name="BucketCheck"):
    """Fails a preview where the bucket of the settings cannot be used."""

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
                # A new Thanos starts anew, and needs its bucket for that.
                "image": settings.image(members.IMAGE),
            },
            opts,
        )
