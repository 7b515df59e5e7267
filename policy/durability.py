"""Require that a stack keeps running and keeps its data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.common.quantities import duration_seconds
from components.exporters.node import TEXTFILE
from components.rules.overrides import PROD
from policy.subject import Subject

DAY_SECONDS = 86400
MIN_DAYS = 7
MIN_DAYS_IN_PRODUCTION = 30
RETENTION_FLAG = "--storage.tsdb.retention.time"
# Set on a Prometheus that uploads its blocks to Thanos, whose compactor decides their retention.
BLOCK_FLAG = "--storage.tsdb.max-block-duration"
BUCKET_FLAG = "--retention.resolution-raw"
# Volumes that the program or the next backup recreates; every other volume is data.
MADE_ANEW = ("-config-volume", "-scratch-volume")
TEXTFILE_VOLUME = f"{TEXTFILE}-volume"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def limits(subject: Subject) -> Iterator[str]:
    if not subject.is_a("Container"):
        return
    without = [
        what
        for what, key in (("memory", "memory"), ("CPUs", "cpus"))
        if not float(subject.props.get(key) or 0) > 0
    ]
    if without:
        yield (
            f"It has no limit of {' and '.join(without)}, so that one leak takes the whole host: "
            "give it one in components/catalog/services.py, or in a stack under vitalstream:limits."
        )


def health_check(subject: Subject) -> Iterator[str]:
    if not subject.is_a("Container"):
        return
    tests = (subject.props.get("healthcheck") or {}).get("tests") or ()
    if not tests or tests[0] == "NONE":
        yield (
            "It has no health check, so that `up` is green while it does not serve: give its "
            "ContainerSpec a `probe` (docs/decisions/0005-health-checks.md)."
        )


def digests(subject: Subject) -> Iterator[str]:
    if not subject.in_production:
        return
    key = {"RemoteImage": "name", "Container": "image"}.get(subject.type.rsplit(":", 1)[-1])
    # A locally built image has no registry digest.
    if key is None or key in subject.unknown or "build" in subject.props:
        return
    reference = subject.props.get(key)
    if reference and not _DIGEST.fullmatch(reference.rpartition("@")[2]):
        yield (
            f"{reference} has no digest, so that it may be another image tomorrow: write "
            "NAME:TAG@sha256:... in components/catalog/images.py or under vitalstream:images "
            "(docs/decisions/0003-image-digests.md says how to find it)."
        )


def protected_data(subject: Subject) -> Iterator[str]:
    if not subject.in_production or not subject.is_a("Volume"):
        return
    made_anew = subject.name.endswith(MADE_ANEW) or subject.name == TEXTFILE_VOLUME
    if not subject.protect and not made_anew:
        yield (
            "It is a data volume that one `pulumi destroy` deletes: "
            f"`pulumi config set protectData true --stack {PROD}`."
        )


def retention(subject: Subject) -> Iterator[str]:
    if not subject.is_a("Container"):
        return
    days = MIN_DAYS_IN_PRODUCTION if subject.in_production else MIN_DAYS
    if bucket := subject.argument(BUCKET_FLAG):
        fix = f"`pulumi config set --path thanos.retention.raw {days}d --stack {subject.stack}`."
        yield from _too_short(BUCKET_FLAG, bucket, days, fix)
    if not _is_prometheus(subject) or subject.argument(BLOCK_FLAG):
        return
    fix = f"`pulumi config set retentionTime {days}d --stack {subject.stack}` or longer."
    kept = subject.argument(RETENTION_FLAG)
    if kept is None:
        yield f"It has no {RETENTION_FLAG}, and Prometheus' default is 15d: {fix}"
        return
    yield from _too_short(RETENTION_FLAG, kept, days, fix)


def _too_short(flag: str, kept: str, days: int, fix: str) -> Iterator[str]:
    try:
        seconds = duration_seconds(kept)
    except ValueError as error:
        yield f"{flag}={kept} {error}. {fix}"
        return
    if seconds < days * DAY_SECONDS:
        yield f"It keeps {kept}, less than {days} days: {fix}"


def _is_prometheus(subject: Subject) -> bool:
    return subject.name == "prometheus" or bool(subject.argument("--storage.tsdb.path"))
