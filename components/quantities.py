"""Durations, byte sizes and memory limits as Prometheus and Docker write them."""

from __future__ import annotations

import re

_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 31536000.0,
}
_DURATION = re.compile(r"^(?:\d+(?:ms|[smhdwy]))+$")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")

_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_SIZE = re.compile(r"^(\d+)(B|KB|MB|GB|TB|PB)$")

_MEBIBYTES = {"m": 1, "g": 1024}
_MEMORY = re.compile(r"^(\d+)([mg])$")


def duration_seconds(text: str) -> float:
    """The seconds of a Prometheus duration such as `30d` or `1h30m`.

    Source: Prometheus, "Time durations"; a year is 365 days. Raises ValueError.
    """
    if not _DURATION.match(text):
        raise ValueError(
            "is not a Prometheus duration: a whole number and a unit "
            "(ms, s, m, h, d, w, y), such as 15s or 30d"
        )
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def size_bytes(text: str) -> int:
    """The bytes of a Prometheus size such as `10GB`.

    Prometheus counts in powers of 2 (1KB is 1024B). Raises ValueError.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(
            "is not a Prometheus size: a whole number and a unit "
            "(B, KB, MB, GB, TB, PB), such as 10GB"
        )
    return int(match[1]) * _BYTES[match[2]]


def memory_mebibytes(text: str) -> int:
    """The MiB of a Docker memory limit such as `512m` or `2g`. Raises ValueError."""
    match = _MEMORY.match(text)
    if match is None:
        raise ValueError("is not a memory limit: a whole number of MiB or GiB, such as 512m or 2g")
    return int(match[1]) * _MEBIBYTES[match[2]]


def go_duration(seconds: int) -> str:
    """Seconds in the form in which Go prints them (`90` -> `1m30s`).

    The Docker provider reads durations back in this form: any other way to write the
    same duration is an update at every preview.
    """
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    if minutes:
        return f"{minutes}m{left}s"
    return f"{left}s"
