"""Limits of a scrape, so that a broken target affects only itself.

A scrape over a limit is refused as a whole: its target is then down, with the reason on Prometheus'
targets page, and nothing of it is stored.
"""

from __future__ import annotations

from typing import Any

# Far above what exporters send; longest in use are the labels of build and version metrics.
MAX_LABELS = 64
MAX_LABEL_NAME_BYTES = 256
MAX_LABEL_VALUE_BYTES = 2048


def scrape_limits(sample_limit: int, body_size_limit: str) -> dict[str, Any]:
    """Return the keys of a scrape configuration."""
    return {
        # A target's timestamps would be refused or wrong when its clock is wrong.
        "honor_timestamps": False,
        "sample_limit": sample_limit,
        "body_size_limit": body_size_limit,
        "label_limit": MAX_LABELS,
        "label_name_length_limit": MAX_LABEL_NAME_BYTES,
        "label_value_length_limit": MAX_LABEL_VALUE_BYTES,
    }
