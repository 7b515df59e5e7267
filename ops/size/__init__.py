"""What so many series need: samples a second, memory and disk, and the settings that say so."""

from ops.size.command import Asked, Format, run
from ops.size.measured import SAMPLE_BYTES

__all__ = ["SAMPLE_BYTES", "Asked", "Format", "run"]
