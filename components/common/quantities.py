"""Durations, byte sizes and memory limits in the notation of Prometheus and Docker."""

from __future__ import annotations

import re

_SECONDS = {
    "y": 31536000.0,
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
# Prometheus takes each unit at most once, the longest first.
_DURATION = re.compile("".join(f"(?:([0-9]+){unit})?" for unit in _SECONDS))
# Go counts durations and Prometheus counts bytes in 64 bits.
_INT64 = 2**63 - 1

_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "PB": 2**50}
_SIZE = re.compile(r"([0-9]+)(B|KB|MB|GB|TB|PB)")

_MEBIBYTES = {"m": 1, "g": 1024}
_MEMORY = re.compile(r"([0-9]+)([mg])")


def duration_seconds(text: str) -> float:
    """Return the seconds of a Prometheus duration such as `30d` or `1h30m`.

    Source: Prometheus, "Time durations"; a year is 365 days. Raises ValueError.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(
            "is not a Prometheus duration: a whole number and a unit "
            "(y, w, d, h, m, s, ms), such as 30d or 15s; several go from the longest to the "
            "shortest, as in 1h30m"
        )
    seconds = sum(
        int(number or 0) * unit
        for number, unit in zip(match.groups(), _SECONDS.values(), strict=True)
    )
    if seconds * 1e9 > _INT64:
        raise ValueError("is longer than the 292 years that Prometheus can count")
    return seconds


def size_bytes(text: str) -> int:
    """Return the bytes of a Prometheus size such as `10GB`.

    Prometheus counts in powers of 2 (1KB is 1024B). Raises ValueError.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not a Prometheus size: a whole number and a unit "
            "(B, KB, MB, GB, TB, PB), such as 10GB"
        )
    size = int(match[1]) * _BYTES[match[2]]
    if size > _INT64:
        raise ValueError("is more than the 8191PB that Prometheus can count")
    return size


def memory_mebibytes(text: str) -> int:
    """Return the MiB of a Docker memory limit such as `512m` or `2g`. Raises ValueError."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise ValueError("is not a memory limit: a whole number of MiB or GiB, such as 512m or 2g")
    return int(match[1]) * _MEBIBYTES[match[2]]


def go_duration(seconds: int) -> str:
    """Format seconds as Go prints them (`90` -> `1m30s`).

    The Docker provider reads durations back in this form: any other notation of the same duration
    is an update at every preview.
    """
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    if minutes:
        return f"{minutes}m{left}s"
    return f"{left}s"
