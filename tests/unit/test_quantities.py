"""Durations, sizes and memory limits, read and written as Prometheus, Docker and Go do."""

from __future__ import annotations

import pytest

from components.common.quantities import (
    duration_seconds,
    go_duration,
    memory_mebibytes,
    size_bytes,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        ("1y", 31536000),
        ("1y2w3d4h5m6s7ms", 31536000 + 1209600 + 259200 + 14400 + 300 + 6.007),
        ("0s", 0),
        ("292y", 292 * 31536000),
    ],
)
def test_duration_valid_is_parsed_as_in_prometheus(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "30 d",
        "30 days",
        "30D",
        "1.5h",
        "-1h",
        "1m1h",
        "15s15s",
        "1h 30m",
        "15s\n",
        "d30",
        "\N{ARABIC-INDIC DIGIT ONE}s",
    ],
)
def test_duration_invalid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Prometheus duration"):
        duration_seconds(text)


def test_duration_overflow_is_refused() -> None:
    with pytest.raises(ValueError, match="292 years"):
        duration_seconds("300y")


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("1KB", 1024), ("512MB", 2**29), ("10GB", 10 * 2**30), ("1TB", 2**40)],
)
def test_size_is_parsed_in_powers_of_two(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "10", "10 GB", "10gb", "10G", "10GiB", "0x10GB", "10GB\n"])
def test_size_invalid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Prometheus size"):
        size_bytes(text)


def test_size_overflow_is_refused() -> None:
    with pytest.raises(ValueError, match="8191PB"):
        size_bytes("8192PB")


@pytest.mark.parametrize(("text", "mebibytes"), [("64m", 64), ("2g", 2048)])
def test_memory_limit_is_parsed_in_mebibytes(text: str, mebibytes: int) -> None:
    assert memory_mebibytes(text) == mebibytes


@pytest.mark.parametrize("text", ["", "512", "1gb", "1G", "512mb", "512 m", "1.5g", "64m\n"])
def test_memory_limit_invalid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a memory limit"):
        memory_mebibytes(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1s"), (15, "15s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s"), (5430, "1h30m30s")],
)
def test_duration_is_written_in_gos_form(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text
