"""Long-term object storage and its retention: the setting `thanos`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import SecretStr, StrictBool, field_validator

from components.common.model import Frozen
from components.common.problems import Problem
from components.common.quantities import duration_seconds
from components.settings.types import Authorities, Duration

_HOUR = 3600
_DAY = 24 * _HOUR
# Thanos makes a block's 5-minute aggregates when it spans 40 hours, and its 1-hour ones at 10 days:
# samples that go before are never aggregated (pkg/compact/downsample). It refuses to start then.
MIN_RAW_SECONDS = 40 * _HOUR
MIN_FIVE_MINUTES_SECONDS = 10 * _DAY
# The rules look back 3 days (rules/slo.yml), and they are evaluated on what Prometheus itself has;
# a block of 2 hours more, since blocks go whole.
MIN_LOCAL_SECONDS = 3 * _DAY + 2 * _HOUR
# S3's rules for names of buckets; other stores keep to them.
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_ENDPOINT = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")


class Retention(Frozen):
    """Retention in the object storage, for raw and for downsampled samples."""

    raw: Duration = "90d"
    five_minutes: Duration = "1y"
    one_hour: Duration = "5y"

    @field_validator("raw")
    @classmethod
    def _validate_raw(cls, value: str) -> str:
        if duration_seconds(value) < MIN_RAW_SECONDS:
            raise ValueError(
                "is shorter than 40h, the length of a block when its 5-minute aggregates are made"
            )
        return value

    @field_validator("five_minutes")
    @classmethod
    def _validate_five_minutes(cls, value: str) -> str:
        if duration_seconds(value) < MIN_FIVE_MINUTES_SECONDS:
            raise ValueError(
                "is shorter than 10d, the length of a block when its 1-hour aggregates are made"
            )
        return value


class ThanosSettings(Frozen):
    """Off without `bucket` and `directory`. Durations as Prometheus has them, such as `90d`.

    `ca` are the authorities, in PEM, of a store whose certificate is of no public one.
    """

    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    prefix: str = ""
    insecure: StrictBool = False
    ca: Authorities = ""
    directory: StrictBool = False
    retention: Retention = Retention()
    downsampling: StrictBool = True
    local_retention: Duration = "4d"

    @property
    def on(self) -> bool:
        return bool(self.bucket) or self.directory

    @field_validator("bucket")
    @classmethod
    def _validate_bucket(cls, value: str) -> str:
        if value and (not _BUCKET.fullmatch(value) or ".." in value):
            raise ValueError(
                "is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens"
            )
        return value

    @field_validator("endpoint")
    @classmethod
    def _validate_endpoint(cls, value: str) -> str:
        found = _ENDPOINT.fullmatch(value)
        if value and (found is None or int(found["port"] or 443) not in range(1, 2**16)):
            raise ValueError(
                "is not host or host:port, such as s3.eu-central-1.amazonaws.com: no scheme"
            )
        return value

    @field_validator("region")
    @classmethod
    def _validate_region(cls, value: str) -> str:
        if value and not _REGION.fullmatch(value):
            raise ValueError("is not a region, such as eu-central-1")
        return value

    @field_validator("prefix")
    @classmethod
    def _validate_prefix(cls, value: str) -> str:
        if value and not _PREFIX.fullmatch(value):
            raise ValueError(
                "is not a path in a bucket, such as monitoring/prod (no / at the ends)"
            )
        return value

    @field_validator("local_retention")
    @classmethod
    def _validate_local_retention(cls, value: str) -> str:
        if duration_seconds(value) < MIN_LOCAL_SECONDS:
            raise ValueError(
                "is shorter than 3d2h: rules look back 3d, and see only what Prometheus itself has"
            )
        return value


def problems(thanos: ThanosSettings) -> list[Problem]:
    """Find settings that exclude each other."""
    return [*_place_problems(thanos), *_retention_problems(thanos)]


def key_problem(value: SecretStr, thanos: ThanosSettings) -> str:
    """Return the problem of one of the store's two keys, or an empty string."""
    if thanos.bucket and not value.get_secret_value():
        return "is missing: thanos.bucket is set, and its object storage asks for two keys"
    return ""


def _place_problems(thanos: ThanosSettings) -> Iterator[Problem]:
    of_bucket = ("endpoint", "region", "prefix", "ca", "insecure")
    if thanos.bucket and thanos.directory:
        yield Problem(("directory",), "is set beside bucket: blocks are kept in one place")
    if thanos.bucket and not thanos.endpoint:
        yield Problem(
            ("endpoint",),
            "is missing: the host of the bucket's store, such as s3.eu-central-1.amazonaws.com",
        )
    for name in of_bucket:
        if getattr(thanos, name) and not thanos.bucket:
            yield Problem((name,), "is set without bucket: it is of the store that has one")
    if thanos.ca and thanos.insecure:
        yield Problem(("ca",), "is set beside insecure: in clear text nobody shows a certificate")
    if not thanos.on and thanos.model_fields_set - {"bucket", "directory", *of_bucket}:
        yield Problem(
            (),
            "has no place for blocks: set bucket and endpoint, or directory to true to try it on "
            "this machine",
        )


def _retention_problems(thanos: ThanosSettings) -> Iterator[Problem]:
    retention, given = thanos.retention, thanos.retention.model_fields_set
    if not thanos.downsampling:
        for name, key in (("five_minutes", "fiveMinutes"), ("one_hour", "oneHour")):
            if name in given:
                yield Problem(
                    ("retention", key), "is of aggregates, and downsampling is off: there are none"
                )
        return
    raw, five, one = (
        duration_seconds(value)
        for value in (retention.raw, retention.five_minutes, retention.one_hour)
    )
    if five < raw:
        yield Problem(
            ("retention", "fiveMinutes"),
            f"is shorter than raw ({retention.raw}): aggregates are there to outlive samples",
        )
    if one < five:
        yield Problem(
            ("retention", "oneHour"),
            f"is shorter than fiveMinutes ({retention.five_minutes}): the coarser last longer",
        )
    local = duration_seconds(thanos.local_retention)
    if thanos.on and raw < local:
        yield Problem(
            ("retention", "raw"),
            f"is shorter than localRetention ({thanos.local_retention}): storage would have less "
            "than Prometheus",
        )
