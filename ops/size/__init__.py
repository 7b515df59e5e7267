"""Sizing: samples a second, memory, CPU and disk for a number of series, and the settings."""

from ops.size.command import Asked, Format, run
from ops.size.measured import SAMPLE_BYTES

__all__ = ["SAMPLE_BYTES", "Asked", "Format", "run"]
